# The Synology library for Python works with the stand-in: it lists the users that a bot may write to and sends a text. Another
# one, which is for Synology Chat's web hooks, reads what the stand-in calls with.
#
# pypi: synology-api==0.9.4 synochat==1.0.4

import queue
from urllib.parse import parse_qsl

from stand_in import StandIn, listen, same
from synochat.webhooks import SlashCommand
from synology_api.chat import ChatBot

nas = StandIn("synology-chat")
base, token = nas.settings["base_url"], nas.settings["token"]
calls = queue.Queue()


def take(method, path, headers, body):
    calls.put(body)
    return 200, ""


nas.call_at(listen(take) + "/hook")
nas.write("May I come in?")
fields = dict(parse_qsl(calls.get(timeout=30).decode(), keep_blank_values=True))
command = SlashCommand(fields)
same(command.authenticate(token), True, "the token of a call")
same(command.text, "May I come in?", "what was said")
print("reads a call and knows its token")

bot = ChatBot(base, token)
users = bot.user_list()
same(users["success"], True, "the list of users")
names = {str(user["user_id"]): user["nickname"] for user in users["data"]["data"]["users"]}
same(names[fields["user_id"]], fields["username"], "the name of who wrote")
sent = bot.send_message("hello yourself & more", [int(fields["user_id"])])
same((sent["success"], nas.read()), (True, "hello yourself & more"), "what was sent")
print("lists the users, of whom one wrote, and answers")

same(ChatBot(base, "another").user_list()["error"]["code"], 404, "another token")
same(bot.send_message("hello", [99])["success"], False, "a text to nobody")
print("another token is refused, and a text to nobody")
nas.end()
