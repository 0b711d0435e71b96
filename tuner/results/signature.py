"""The signature of a run: proof that this user made it, of the code that it names, in this place."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

from tuner.results.schema import CODE, SIGNATURE
from tuner.state_folder import make_secret_key, secret_key


def signature(facts: dict[str, Any]) -> str | None:
    """Return the signature of a run with these facts by this user's key, which is made where there is none.

    None where no key can be kept.
    """
    key = make_secret_key()
    return None if key is None else _sign(key, facts)


def is_signed(facts: dict[str, Any]) -> bool:
    """True where the facts bear the signature of this user, and relative names still mean the same."""
    key = secret_key()
    if key is None:
        return False
    return hmac.compare_digest(_sign(key, facts).encode(), str(facts.get(SIGNATURE)).encode())


def _sign(key: bytes, facts: dict[str, Any]) -> str:
    """Sign what executes and what says where files lie.

    Of a file or a module its place counts: of one name there may be another in another folder.
    """
    config = facts["config"]
    space, storage = config["space"], config.get("storage")
    signed = {
        "started_at": facts.get("started_at"),
        "space": space if space.isidentifier() else _place(space),
        "code": facts.get(CODE),
        "storage": storage and _place(storage),
        "cluster": config.get("cluster"),
    }
    contents = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key, contents, "sha256").hexdigest()


def _place(name: str) -> str:
    return name if "://" in name else str(Path(name).absolute())
