"""A bot that gives back what it is told, made with python-telegram-bot 13.

It is reached as its environment says: API_URL, and HTTPS_PROXY where that is set.
"""

import hashlib
import io
import os

import certifi

certifi.where = lambda: os.environ["SSL_CERT_FILE"]  # of this test

from telegram.ext import Filters, MessageHandler, Updater

BIG = b"one of many lines of a file\n" * 20_000


def text(update, context):
    update.message.reply_text("echo: " + update.message.text)


def file(update, context):
    sent = update.message.reply_document(io.BytesIO(BIG), filename="big.txt")
    got = bytes(sent.document.get_file().download_as_bytearray())
    same = hashlib.sha256(got).digest() == hashlib.sha256(BIG).digest()
    update.message.reply_text("file: " + ("same" if same else "another"))


url = os.environ["API_URL"]
updater = Updater(os.environ["TOKEN"], base_url=url + "/bot", base_file_url=url + "/file/bot")
updater.dispatcher.add_handler(MessageHandler(Filters.text("/file"), file))
updater.dispatcher.add_handler(MessageHandler(Filters.text, text))
updater.start_polling(timeout=30)
updater.idle()
