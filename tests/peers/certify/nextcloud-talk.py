# The framework for Nextcloud apps in Python works with the stand-in for Nextcloud Talk: it logs in, sees what a conversation
# is, reads a call, and answers as the bot. It does not check signatures of calls: that is done here, by Nextcloud's rule.
#
# pypi: nc-py-api==0.30.3

import asyncio
import hashlib
import hmac
import json
import os
import queue

from stand_in import StandIn, listen, same

stand_in = StandIn("nextcloud-talk")
settings = stand_in.settings
os.environ |= {"APP_ID": "bot", "APP_VERSION": "1", "APP_SECRET": "unused", "NEXTCLOUD_URL": settings["base_url"]}
os.environ[hashlib.sha1(b"bot_hook").hexdigest()] = settings["bot_secret"]

from nc_py_api import AsyncNextcloud  # noqa: E402
from nc_py_api.talk import ConversationType  # noqa: E402
from nc_py_api.talk_bot import AsyncTalkBot, TalkBotMessage  # noqa: E402

calls = queue.Queue()


def take(method, path, headers, body):
    calls.put((headers, body))
    return 200, ""


async def certify():
    stand_in.call_at(listen(take) + "/hook")
    stand_in.write("May I come in?")
    headers, body = calls.get(timeout=30)
    signed = hmac.new(settings["bot_secret"].encode(), headers["X-Nextcloud-Talk-Random"].encode() + body, hashlib.sha256)
    same(headers["X-Nextcloud-Talk-Signature"], signed.hexdigest(), "the signature of a call")
    same(headers["X-Nextcloud-Talk-Backend"], settings["base_url"] + "/", "what the server calls itself")

    message = TalkBotMessage(json.loads(body))
    same(message.message_type, "Create", "the type of a message")
    same(message.object_content["message"], "May I come in?", "its text")
    same(message.actor_id, "users/Person0", "who wrote it")
    print("reads a message of a person's")

    nextcloud = AsyncNextcloud(
        nextcloud_url=settings["base_url"], nc_auth_user=settings["api_user"], nc_auth_pass=settings["api_password"]
    )
    same((await nextcloud.users.get_user()).user_id, settings["api_user"], "our user")
    room = await nextcloud.talk.get_conversation_by_token(message.conversation_token)
    same(room.conversation_type, ConversationType.ONE_TO_ONE, "the type of the conversation")
    print("logs in and sees that the conversation is one-to-one")

    bot = AsyncTalkBot("hook", "Bot")
    answer, _ = await bot.send_message("Not yet — ask the owner", message)
    same(answer.status_code, 201, "the status of an answer")
    same(stand_in.read(), "Not yet — ask the owner", "what the person reads")
    os.environ[hashlib.sha1(b"bot_hook").hexdigest()] = "another secret"
    answer, _ = await bot.send_message("Hello", message)
    same(answer.status_code, 401, "the status of an answer with another secret")
    print("signs an answer, which reaches the person; with another secret it is refused")


asyncio.run(certify())
stand_in.end()
