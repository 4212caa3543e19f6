"""nanobot's own pairing store, called as its channels call it for a direct message."""

import json
from pathlib import Path

from loguru import logger
from measure import FOLDER, KNOWN, play
from nanobot.config.loader import set_config_path
from nanobot.pairing import approve_code, generate_code, is_approved

CHANNEL = "telegram"
logger.disable("nanobot")  # what a log costs is not the matter here
set_config_path(Path(FOLDER) / "config.json")
store = {"approved": {CHANNEL: KNOWN}, "pending": {}}
(Path(FOLDER) / "pairing.json").write_text(json.dumps(store, indent=2))


def decide(user):
    return True if is_approved(CHANNEL, user) else generate_code(CHANNEL, user)


play(decide, approve_code, capped=False)  # it has no cap: every stranger gets a code
