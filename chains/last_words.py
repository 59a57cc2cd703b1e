"""What the react chain says itself where the model's run ends without an answer, in the user's language."""

from __future__ import annotations

from collections.abc import Sequence

from chains.dialects import NAMELESS
from chains.errors import ResultsTooLong, ToolGivenUp, Unanswered
from chains.events import ChainRequest, Message
from chains.messages import in_chinese

_TOLD = 300  # characters of what a tool said


def last_words(request: ChainRequest, why: Unanswered) -> str:
    """What could not be done, which tool it was for, and what that said of it."""
    if isinstance(why, ToolGivenUp):
        return _given_up(request.messages, why) + _said(request.messages, why)
    if isinstance(why, ResultsTooLong):
        return _too_long(request.messages, why.names)
    return _unfinished(request.messages, request.limits.steps)


def _unfinished(conversation: Sequence[Message], steps: int) -> str:
    """Where the bound on steps cut the run."""
    return (
        f"抱歉，我在{steps}个步骤内没能完成这个请求。"
        if in_chinese(conversation)
        else f"Sorry, I could not finish this within {steps} steps."
    )


def _too_long(conversation: Sequence[Message], names: Sequence[str]) -> str:
    """Where what tools answered can't be read by the model."""
    return (
        f"抱歉，这个请求没能完成：{'、'.join(names)} 返回的内容太长，我读不下。"
        if in_chinese(conversation)
        else f"Sorry, I could not do this: what {' and '.join(names)} answered is too long for me to read."
    )


def _said(conversation: Sequence[Message], why: ToolGivenUp) -> str:
    """What tools that failed said themselves."""
    told = {name: " ".join(words.split())[:_TOLD] for name, words in why.said.items()}
    if in_chinese(conversation):
        return "".join(f"{name} 的答复：“{words}”。" for name, words in told.items())
    return "".join(f' {name} said: "{words}".' for name, words in told.items())


def _given_up(conversation: Sequence[Message], why: ToolGivenUp) -> str:
    """Where tools failed, or what was to be the call of one."""
    if in_chinese(conversation):
        if why.names == (NAMELESS,):
            how = "我两次写出的工具调用都无法读取" if why.twice else "我写出的工具调用无法读取"
        else:
            how = f"{'、'.join(why.names)} 失败了{'两次' if why.twice else ''}"
        return f"抱歉，这个请求没能完成：{how}。"
    if why.names == (NAMELESS,):
        how = f"{'twice ' if why.twice else ''}I wrote a tool call that can't be read"
    else:
        how = f"{' and '.join(why.names)} failed{' twice' if why.twice else ''}"
    return f"Sorry, I could not do this: {how}."
