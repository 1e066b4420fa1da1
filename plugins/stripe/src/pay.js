"use strict";
// Stripe's form in our page: saves a card, pays, or brings the driver to the bank.
(async () => {
  const { key, kind, secret, status, method, back } = document.querySelector("main").dataset;
  const form = document.querySelector("form");
  const button = document.querySelector("button");
  const said = document.querySelector("#said");
  const words = {
    en: ["Pay", "Save the card", "Done. You can close this page.", "This was given up."],
    nb: ["Betal", "Lagre kortet", "Ferdig. Du kan lukke siden.", "Dette ble avbrutt."],
    sv: ["Betala", "Spara kortet", "Klart. Du kan stänga sidan.", "Detta avbröts."],
    da: ["Betal", "Gem kortet", "Færdig. Du kan lukke siden.", "Dette blev afbrudt."],
    fi: ["Maksa", "Tallenna kortti", "Valmis. Voit sulkea sivun.", "Tämä peruttiin."],
    nl: ["Betalen", "Kaart opslaan", "Klaar. Je kunt deze pagina sluiten.", "Dit is afgebroken."],
    pt: ["Pagar", "Guardar o cartão", "Concluído. Pode fechar esta página.", "Isto foi cancelado."],
  };
  const language = (navigator.language || "en").slice(0, 2).toLowerCase();
  document.documentElement.lang = language;
  const [pay, save, done, given] = words[language] || (language === "no" || language === "nn" ? words.nb : words.en);
  const finish = (text) => {
    form.textContent = text;
    if (back && text === done) location.replace(back);
  };
  if (!secret) return finish(status === "canceled" ? given : done);

  const stripe = Stripe(key);
  const setup = kind === "setup";
  const confirmed = (options) => (setup ? stripe.confirmSetup(options) : stripe.confirmPayment(options));
  const confirmParams = { return_url: back || location.href };
  let attempt;
  if (status === "requires_action") {
    attempt = () => stripe.handleNextAction({ clientSecret: secret });
  } else if (method) {
    attempt = () => confirmed({ clientSecret: secret, confirmParams: { ...confirmParams, payment_method: method } });
  } else {
    const elements = stripe.elements({ clientSecret: secret });
    elements.create("payment").mount("#card");
    attempt = () => confirmed({ elements, confirmParams });
  }
  button.textContent = setup ? save : pay;
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = "";
    const { error } = await attempt();
    if (!error) return finish(done);
    said.textContent = error.message || error.code;
    button.disabled = false;
  });
})();
