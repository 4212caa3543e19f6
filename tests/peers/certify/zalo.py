# The library that Zalo's documents name works with the stand-in: it asks for what a person wrote, answers, shows that it is
# typing, and reads what its web hook is given.
#
# pypi: python-zalo-bot==0.1.9

import asyncio
import json
import queue

from stand_in import StandIn, listen, same
from zalo_bot import Bot, Update

zalo = StandIn("zalo")
token, base = zalo.settings["token"], zalo.settings["api_base"]
calls = queue.Queue()


def take(method, path, headers, body):
    calls.put((headers, body))
    return 200, ""


async def poll(bot):
    same((await bot.get_me()).account_type, "BASIC", "who we are")
    zalo.write("xin chào")
    update = await bot.get_update(timeout=30)
    same((update.message.text, update.message.chat.type), ("xin chào", "PRIVATE"), "what was said")
    same(update.effective_user.is_bot, False, "who said it")
    print("asks for what a person wrote")
    chat = update.message.chat.id
    await bot.send_chat_action(chat, "typing")
    sent = await bot.send_message(chat, "hello yourself")
    same((bool(sent.message_id), zalo.read()), (True, "hello yourself"), "what was sent")
    same(await bot.get_update(timeout=1), None, "a poll without news")
    print("answers, and is told when there is nothing")


asyncio.run(poll(Bot(token, base)))

bot = Bot(token, base)
same(bot.set_webhook(listen(take) + "/hook", "a secret of ours"), True, "the web hook")
zalo.write("by hook")
headers, body = calls.get(timeout=30)
same(headers["X-Bot-Api-Secret-Token"], "a secret of ours", "the secret of a call")
same(Update.de_json(json.loads(body)["result"], bot).message.text, "by hook", "what was said")
same(bot.delete_webhook(), True, "the web hook that goes")
print("is called with the secret that it gave, and reads the call")
zalo.end()
