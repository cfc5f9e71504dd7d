"""How much two texts have in common, cheaply: the words that say something, whatever the language.

What comes in: text. What goes out: sets of words, and how many are shared. Chinese has no spaces, so pairs of
characters stand for words.
"""

from __future__ import annotations

import re
import unicodedata

_LATIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,}")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,}")
_EMPTY = frozenset(
    {
        "the", "and", "for", "not", "are", "was", "has", "have", "had", "this", "that", "with", "from", "you",
        "your", "our", "can", "cannot", "please", "since", "today", "hello", "dear", "regards", "thanks",
        "all", "but", "here", "been", "will", "again",
        "您好", "你好", "谢谢", "我们", "你们", "今天", "昨天", "今早", "早上", "请问", "麻烦", "一下",
        "这个", "那个", "现在", "没有", "不能", "可以", "已经", "各位", "大家", "尽快", "处理", "问题", "无法",
        "怎么", "什么",
    }
)  # fmt: skip
"""Words that stand in any mail."""
_MOST_CHARACTERS = 4000


def telling_words(text: str) -> frozenset[str]:
    """Return the words of a text that say what it is about."""
    folded = unicodedata.normalize("NFKC", text[:_MOST_CHARACTERS]).casefold()
    latin = {w.strip("._-") for w in _LATIN.findall(folded)}
    pairs = {run[i : i + 2] for run in _HAN.findall(folded) for i in range(len(run) - 1)}
    return frozenset((latin | pairs) - _EMPTY - {""})


def shared(one: frozenset[str], other: frozenset[str]) -> int:
    """Return how many telling words two texts share."""
    return len(one & other)
