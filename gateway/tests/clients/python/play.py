"""Plays scenes against a gateway, all at once, each with a charger of its own. Arguments: version, URL, names of scenes."""

import asyncio
import logging
import os
import sys
import traceback

import orders2
import orders16
import reports2
import scenes2
import scenes16
from charger import Charger, Desk


async def play(name, scene, desk, answers):
    charger = Charger(desk, name, answers)
    try:
        await asyncio.wait_for(scene(charger), 60)
        assert not charger.complaints, "\n".join(charger.complaints)
    except Exception:
        print(f"{name}: {traceback.format_exc()}", file=sys.stderr)
        for complaint in charger.complaints:
            print(f"{name} complains: {complaint}", file=sys.stderr)
        return False
    finally:
        if charger.socket:
            await charger.socket.close()
    return True


async def main(version, url, *names):
    if version == "1.6":
        listed, answers = scenes16.SCENES + orders16.SCENES, orders16.answers()
    else:
        listed, answers = scenes2.SCENES + orders2.SCENES + reports2.SCENES, orders2.answers(version)
    scenes = {scene.__name__.replace("_", "-"): scene for scene in listed}
    assert set(scenes) == set(names), f"scenes and names differ: {set(scenes) ^ set(names)}"
    desk = Desk(url, os.environ["TAKST_KEY"], version)
    played = await asyncio.gather(*(play(name, scenes[name], desk, answers) for name in names))
    for name, fine in zip(names, played):
        print(name, "fine" if fine else "failed")
    sys.exit(not all(played))


# What is wrong is told by the scenes.
logging.getLogger("ocpp").setLevel(logging.CRITICAL)
asyncio.run(main(*sys.argv[1:]))
