"""Hermes's own pairing store, called as its gateway calls it for a direct message."""

import json
import os
import time
from pathlib import Path

from measure import FOLDER, KNOWN, play

os.environ["HERMES_HOME"] = FOLDER  # read as the store is imported
from gateway.pairing import PAIRING_DIR, PairingStore  # noqa: E402

PLATFORM = "telegram"
Path(PAIRING_DIR).mkdir(parents=True)
users = {user: {"user_name": "", "approved_at": time.time()} for user in KNOWN}
(Path(PAIRING_DIR) / f"{PLATFORM}-approved.json").write_text(json.dumps(users, indent=2))
store = PairingStore()


def decide(user):
    if store.is_approved(PLATFORM, user):
        return True
    if store._is_rate_limited(PLATFORM, user):
        return None
    code = store.generate_code(PLATFORM, user, "")
    if code is None:
        store._record_rate_limit(PLATFORM, user)  # so that the refusal, too, is said once
    return code


play(decide, lambda code: store.approve_code(PLATFORM, code))
