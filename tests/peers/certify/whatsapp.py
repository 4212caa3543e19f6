# pywa, a widely used client library of the Cloud API, works with the stand-in for WhatsApp: it takes the challenge, verifies our
# signature, reads a person's message, shows that it writes, and answers. Meta's own library (npm: whatsapp) was given up before
# there were business-scoped ids.
#
# pypi: pywa==4.5.0

import logging
import queue
from urllib.parse import parse_qs, urlsplit

import httpx
from pywa import WhatsApp
from pywa.errors import WhatsAppError

from stand_in import StandIn, listen, same

logging.getLogger("pywa").setLevel(logging.CRITICAL)  # What it refuses is checked here.
stand_in = StandIn("whatsapp")
settings = stand_in.settings
base = httpx.URL(settings["api_base"])


class Here(httpx.HTTPTransport):
    """Leads what goes to Meta to the stand-in."""

    def handle_request(self, request):
        same(request.url.host, "graph.facebook.com", "where the library goes")
        request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        return super().handle_request(request)


def client(**changed):
    told = {"token": settings["access_token"], "app_secret": settings["app_secret"], **changed}
    return WhatsApp(
        phone_id=settings["phone_number_id"],
        session=httpx.Client(transport=Here()),
        server=None,
        verify_token=settings["verify_token"],
        **told,
    )


whatsapp = client()
messages = queue.Queue()
whatsapp.on_message()(lambda _, message: messages.put(message))


def take(method, path, headers, body):
    if method == "GET":
        query = parse_qs(urlsplit(path).query)
        text, status = whatsapp.webhook_challenge_handler(query["hub.verify_token"][0], query["hub.challenge"][0])
        return status, text
    refused = whatsapp.webhook_update_validator(body, headers["X-Hub-Signature-256"])
    same(refused, None, "what the library says of our signature")
    same(whatsapp.webhook_update_validator(body + b" ", headers["X-Hub-Signature-256"])[1], 403, "a changed body")
    text, status = whatsapp.webhook_update_handler(body)
    return status, text


stand_in.call_at(listen(take) + "/hook")
print("takes the challenge")
stand_in.write("May I come in?")
message = messages.get(timeout=30)
same(message.text, "May I come in?", "the text of a message")
same(message.from_user.wa_id, "16505550000", "whose number it is")
same(message.from_user.bsuid, "US.13491208655302740000", "and whose id")
print("verifies our signature and reads a message, with its number and its id")

message.indicate_typing()
message.reply_text("Not yet — ask the owner")
same(stand_in.read(), "Not yet — ask the owner", "what the person reads, sent to the id")
whatsapp.send_message(to="16505550000", text="Hello")
same(stand_in.read(), "Hello", "what the person reads, sent to the number")
print("shows that it writes, and sends texts to an id and to a number")


def refused(wanted, call):
    try:
        call()
    except WhatsAppError as error:
        return same(error.code, wanted, "the code of a refusal")
    raise SystemExit("it was not refused")


refused(131047, lambda: whatsapp.send_message(to="16505559999", text="Hello"))
refused(190, lambda: client(token="another").send_message(to="16505550000", text="Hello"))
print("reads the codes of refusals: nobody wrote within a day; another token")
stand_in.end()
