"""From an opaque S/MIME part to the body that its signature is wrapped around.

What comes in: the bytes of an application/pkcs7-mime part. What goes out: the MIME entity inside, or None where the
part is encrypted or damaged. The signature is not verified: who reads the text must not trust it more for that.
This file alone knows asn1crypto. Source: RFC 8551 §3.5.2, RFC 5652 §5.
"""

from __future__ import annotations

from typing import Any


def signed_content(data: bytes) -> bytes | None:
    """Return what was signed, or None; never raises."""
    from asn1crypto import cms  # few mails need it, and it takes a while to load

    try:
        info: Any = cms.ContentInfo.load(data)
        if info["content_type"].native != "signed_data":
            return None
        content = info["content"]["encap_content_info"]["content"].native
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError):
        return None
    return content if isinstance(content, bytes) and content else None
