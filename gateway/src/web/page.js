// Keeps the page fresh: whenever something happens, and once a minute, the changing part is fetched anew.
const part = document.getElementById("now");
const lamp = document.getElementById("lamp");
let wanted = false, busy = false;

async function refresh() {
  if (busy) { wanted = true; return; }
  busy = true;
  try {
    const answer = await fetch("/now");
    if (answer.ok) part.innerHTML = await answer.text();
    if (answer.status === 401) location.href = "/login";
  } catch { /* the gateway is away; the event stream comes back by itself */ }
  await new Promise(done => setTimeout(done, 700));
  busy = false;
  if (wanted) { wanted = false; refresh(); }
}

const events = new EventSource("/api/v1/events");
const kinds = ["charger.connected", "charger.disconnected", "charger.booted", "charger.status", "session.started",
  "session.progress", "session.charging_ended", "session.idle", "session.ended", "session.suspect", "bill.issued",
  "bill.pending", "bill.corrected", "incident.opened", "incident.closed", "feed.late", "feed.received"];
for (const kind of kinds) events.addEventListener(kind, refresh);
events.onopen = () => { lamp.className = "on"; lamp.title = "live"; };
events.onerror = () => { lamp.className = "off"; lamp.title = "no connection; trying again"; };
setInterval(refresh, 60000);
