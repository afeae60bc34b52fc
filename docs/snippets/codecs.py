"""G.711 and nothing else: offers are cut down to it, and what was agreed on is logged."""

from siphon import Reply, Request, log, proxy, registrar, sdp

KEEP = ["PCMA", "PCMU", "telephone-event"]


def cut_down(request: Request) -> bool:
    """Whether something is left of the offer; if not, the answer is recorded."""
    try:
        offer = sdp.parse(request)
    except ValueError as wrong:
        request.reply(400, str(wrong))
        return False
    offer.remove_media("video")
    offer.filter_codecs(KEEP)
    offer.reorder_codecs(KEEP)
    if all(media.is_rejected for media in offer.media):
        request.reply(488)
        return False
    offer.apply(request)
    return True


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.has_body("application/sdp") and not cut_down(request):
        return
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    request.record_route()
    request.fork(registrar.lookup(request.ruri))


@proxy.on_reply
def answered(request: Request, reply: Reply) -> None:
    if reply.status_code == 200 and reply.has_body("application/sdp"):
        for media in sdp.parse(reply).media:
            log.info("agreed", media=media.media_type, codecs=" ".join(media.codecs), direction=media.direction)
