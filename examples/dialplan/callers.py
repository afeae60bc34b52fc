"""Who may call."""

from siphon import Request, auth


def admit(request: Request) -> bool:
    """Whether the caller is a user of ours under the own name. Where not, that is answered already."""
    if not auth.require_proxy_digest(request):
        return False
    if request.auth_user != request.from_uri.user:
        request.reply(403, "Not Your Name")
        return False
    return True
