"""Chargers of all versions while the gateway dies and comes again. Argument: URL.

Says `kill` when it may die, and waits for a line.
"""

import asyncio
import os
import sys

import orders2
import orders16
import scenes16
import scenes2
from charger import Charger, Clock, Desk, check_bill, same, until
from scenes16 import meter, start, status, stop


class Player:
    """A charger in the middle of a session, and one at its end."""

    def __init__(self, version, url):
        self.desk = Desk(url, os.environ["TAKST_KEY"], version)
        self.old = version == "1.6"
        answers = orders16.answers() if self.old else orders2.answers(version)
        self.chargers = [Charger(self.desk, f"killed-{version}-{name}", answers) for name in ("middle", "end")]
        self.clock = Clock(60)
        self.transactions = []

    async def before(self):
        for charger in self.chargers:
            await charger.connect()
            await (scenes16.boot if self.old else scenes2.boot)(charger)
            if self.old:
                transaction = await start(charger, self.clock.at(0), 0)
                await meter(charger, self.clock.at(10), 4000, transaction)
            else:
                transaction = scenes2.Transaction(charger, self.clock, "T-1")
                await transaction.start(0, 0)
                await transaction.meter(10, 4000)
            self.transactions.append(transaction)
        await self.end(1)

    async def end(self, number):
        charger, transaction = self.chargers[number], self.transactions[number]
        if self.old:
            await stop(charger, self.clock.at(20), 8000, transaction)
            await status(charger, self.clock.at(20), "Available")
        else:
            await transaction.end(20, 8000)

    async def after(self):
        for charger in self.chargers:
            await charger.listening
            await self.connect(charger)
        charger, transaction = self.chargers[0], self.transactions[0]
        if self.old:
            # The start is said again: its answer may have been lost with the line.
            same(await start(charger, self.clock.at(0), 0), transaction)
            await meter(charger, self.clock.at(15), 6000, transaction)
        else:
            await transaction.meter(15, 6000)
        await self.end(0)
        for charger in self.chargers:
            [session] = await self.desk.billed(charger.identity)
            check_bill(session, "8", {"start fee": "0.50", "energy": "3.20"}, "3.70", "2.95", "0.75")
            same((session["flags"], charger.complaints), ([], []))

    async def connect(self, charger):
        async def look():
            try:
                return await charger.connect()
            except OSError:
                return None

        await until(look, "the gateway is there again")


async def main(url):
    players = [Player(version, url) for version in ("1.6", "2.0.1", "2.1")]
    await asyncio.gather(*(player.before() for player in players))
    print("kill", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(player.after() for player in players))
    print("fine")


asyncio.run(main(sys.argv[1]))
