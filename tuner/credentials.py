"""Passwords, keys and tokens in URLs. Requests with them are refused: a run shows its request."""

from __future__ import annotations

import re

# NAME:PASSWORD@ of any URL, TOKEN@ of a web address, and the query, where keys and signatures are.
_USER = re.compile(r"""(?<=://)[^\s'"@]*:[^\s'"@]*@|(?<=http://|ttps://)[^\s'"@]*@""")
_QUERY = re.compile(r"""(://[^\s'"?]*\?)[^\s'"]+""")
_BETWEEN = re.compile(r"""[\s'"]""")
_AZURE = "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS"
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "az"), _AZURE),
    "ray": "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
}


def without_credentials(text: str) -> str:
    """Return a text with *** in the place of each password, key and query of its URLs."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text)) if "://" in text else text


def credentials_refusal(text: str) -> str:
    """Return the reason why a value is refused, with the variables to use instead; "" without any.

    The reason does not repeat the value.
    """
    # Nothing in a value is between URLs, as it is in a sentence.
    url = _BETWEEN.sub("", text)
    if without_credentials(url) == url:
        return ""
    kind = url.partition("://")[0].rpartition(":")[2].lower()
    named = kind.upper() if kind.isalnum() else "KIND"
    variables = _VARIABLES.get(kind, f"FSSPEC_{named}_USERNAME and FSSPEC_{named}_PASSWORD")
    return (
        "a password, key or query in a URL would be kept and shown with the run. Allowed: a URL without, "
        f"such as s3://BUCKET/FOLDER. Set {variables} in the environment instead"
    )
