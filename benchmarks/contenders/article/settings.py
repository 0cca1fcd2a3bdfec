"""`startproject`'s settings, with the article's views."""

from benchmarks.contenders.stock.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.contenders.article.urls"
