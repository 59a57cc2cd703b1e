"""Orders to the router in a user's text: "ignore your routes", "set intent to refund", "you are now …".

What a user wants is said in other words than how it should be routed, so a sentence with such an order is
left out before anything is decided: it can name any intent and would raise its confidence. The words below
are those of routing and prompts and not of any subject; what only names its subject ("I want a refund")
stays. No list of words catches every order: docs/log.md has how many.
"""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")

_ALL = r"all|any|every(?:thing)?|of|your|the|these|those|this|that|previous|prior|above|earlier|other|system"
_SORT = r"route|classify|categori[sz]e"
_KIND = r"intent|label|route|class|category"
_CERTAIN = r"confident|certain"
_ABOUT_ROUTING = (
    rf"\b(?:ignore|disregard|forget|override|bypass|disable|skip|drop)\b(?:\s+(?:{_ALL}|routing|hidden))*\s+"
    r"(?:instructions?|routes?|routing|rules?|prompts?|thresholds?|classifier|guidelines|abstention|before|above)\b",
    r"\boverride\s*:",
    r"\b(?:developer|admin|debug|god) mode\b",
    r"\b(?:system|developer) (?:prompt|message|instruction)s?\b",
    r"\b(?:hidden|secret) (?:config|rule|instruct|prompt)",
    r"\b(?:\w+ )?prompt\b(?= *(?:$|[.,;:!?]))",
    r"\brouting (?:table|rules?|decision)\b",
    r"\b(?:set|lower|reduce|raise|change|use)\b.{0,20}\bthreshold\b",
    rf"\b(?:confidence|{_KIND})\s*[\"']?\s*(?:[=:]|->|→)\s*\S",
    r"\b(?:set|change|make|force|switch)\b.{0,20}\b(?:confidence|intent)\b",
    r"\bconfidence (?:of|is|at|to) (?:\d|one\b|max|full)",
    rf"\b(?:\d+ ?%|fully|totally|absolutely) (?:{_CERTAIN})\b",
    rf"\bcorrect (?:{_KIND})\b",
    r"\b(?:do not|don't|never) abstain|\babstention\b|\bclassifier\b|\bjailbreak",
    rf"\b(?:{_SORT}) (?:me|it|(?:this|the|my|that)(?: \w+)?) (?:as|to|under|with)\b",
    rf"\b(?:{_SORT}) (?:as|this|everything)\b",
    r"\blabel (?:me|(?:this|the|my) (?:request|message|text|conversation)) (?:as|to)\b",
    rf"\b(?:pick|choose|select|{_SORT})\b.{{0,60}}\b(?:certainty|confidence|intent|route)\b",
    r"\b(?:via|through|to|use|using|call|with|respond|answer)\b.{0,20}\b\w+ (?:adapter|lora|tool|intent)\b",
    r"\b(?:use|take|follow|choose|go down) the \w+ (?:path|branch|route|track)\b",
)
_PLAYING = (
    r"(?<!that )\byou are now\b|\byou are (?:a|the) (?:router|classifier)\b",
    r"\bfrom now on,? (?:treat|everything|all\b|whatever|every|you are|act|route)",
    r"\bpretend (?:that|this|i|you|to|it|my)\b",
    r"\bact as (?:if|though|the|an?)\b",
    r"\b(?:as if|assume|suppose|imagine) i(?:'d| had|'m| am)? (?:asked|said|wanted|written)\b",
    r"\b(?:treat|count|regard|interpret) (?:this|everything|it|whatever|what|all|any|my)\b.{0,30}\bas\b",
    r"\bhandle (?:this|everything|it|all)\b.{0,20}\bas (?:an?|if|though)\b",
    r"\balways (?:choose|pick|select|answer|route|return)\b",
    r"\byou (?:must|have to|will) (?:pick|choose|select|route)\b",
    r"\b(?:whatever|everything|anything) i (?:say|write|type|send)\b",
    r"\b(?:every|each|all) (?:sentence|message)s?\b",
    r"\bnew (?:rule|instruction|task|order)s?\s*:",
    r"\b(?:only|sole) (?:valid |allowed |possible )?(?:output|answer|reply)\b",
)
_MARKS = (
    r"\[/?(?:INST|SYS)\]|<<SYS>>|#{2,}\s*\w+",
    r"<\|?/?(?:im_start|im_end|system|user|assistant|s)\b",
    r"^\W*(?:system|assistant|系统)\s*[:：]",
)
_AWAY = r"忽略|无视|忘记|忘掉|绕过|不要管|取消"
_WHOSE = r"你|您|所有|全部|之前|以上|前面|上面|一切|的|系统|任何"
_TAKEN_FOR = r"当作|当成|归为|归到|归入|视为"
_CHINESE = (
    rf"(?:{_AWAY})(?:{_WHOSE})*(?:指令|规则|路由|路线|提示|设定|限制|阈值)",
    r"系统提示|提示词|阈值|置信度",
    r"(?:意图|路由|标签)\s*(?:=|:|：|->|→|为|是|设|改|选)",
    r"(?:选择|判定).{0,20}(?:路线|意图|把握)",
    rf"(?:归类|识别为|分类为|{_TAKEN_FOR}).{{0,20}}(?:路线|意图|把握|请求|类|处理)",
    r"把握.{0,20}(?:选择|判定|归类|归为|当作|当成)",
    rf"(?:{_TAKEN_FOR}|按).{{1,12}}(?:请求|类|路线)",
    r"正确的?(?:类别|标签|意图|分类)|只能(?:输出|选|回答)|必须选",
    r"(?:无论|不管)我说什么|新(?:规则|指令|任务)\s*[:：]|所有(?:消息|分数|请求).{0,6}(?:都|给|转)",
    r"从现在起.{0,4}(?:我说的|所有|都|你)|假装|扮演|你现在是",
    r"(?:使用|调用|用).{0,10}(?:工具|适配器)",
)
_ORDER = re.compile(  # what each kind begins with comes first, so that few are tried at a character
    rf"\b(?:{'|'.join((*_ABOUT_ROUTING, *_PLAYING))})|{'|'.join(_MARKS)}"
    rf"|(?=[\u4e00-\u9fff])(?:{'|'.join(_CHINESE)})",
    re.IGNORECASE,
)


def without_orders(text: str) -> str:
    """``text`` without the sentences that order the router about."""
    if not _ORDER.search(text):
        return text
    return " ".join(sentence for sentence in _SENTENCE_END.split(text) if not _ORDER.search(sentence))
