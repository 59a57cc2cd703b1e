"""The options of ``pointsman bench``, in the groups in which ``--help`` shows them.

What each may be is looked at in ``bench_checks``, so that all that is wrong is told at once.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

_endpoint = partial(typer.Option, rich_help_panel="What is asked")
_mix = partial(typer.Option, rich_help_panel="The mix")
_arrival = partial(typer.Option, rich_help_panel="How requests come")
_result = partial(typer.Option, rich_help_panel="How much, and what is written")
_RANGE = "A number, or LOW:HIGH for all between."

Url = Annotated[
    str,
    _endpoint(envvar="POINTSMAN_URL", metavar="URL", help="Where the endpoint answers, http://HOST:PORT."),
]
Keys = Annotated[
    list[str] | None,
    _endpoint(
        envvar="POINTSMAN_API_KEY",
        metavar="KEY",
        help="A client's key, if it asks for one; repeat for several clients, the most active first.",
    ),
]
Models = Annotated[
    list[str] | None,
    _endpoint(
        metavar="NAME",
        help="A model, the most popular first; repeat for a mix. `auto` is what Pointsman routes.",
    ),
]
Against = Annotated[
    list[str] | None,
    _endpoint(metavar="URL", help="Another endpoint, measured in turn with the first; repeat for more."),
]
AgainstModels = Annotated[
    list[str] | None,
    _endpoint(metavar="NAME", help="What the others call each --model, in the same order; else the same."),
]
AgainstKeys = Annotated[
    list[str] | None,
    _endpoint(
        metavar="KEY", help="The others' key, if they ask for one; one for all, or for each --api-key."
    ),
]
Headers = Annotated[
    list[str] | None,
    _endpoint(metavar="NAME=VALUE", help="A header for every endpoint, its priority say; repeat for more."),
]

Zipf = Annotated[float, _mix(help="Popularity: the k-th model gets 1 / k^ZIPF; 0 is all the same.")]
Stream = Annotated[float, _mix(help="Share of requests that are streamed, 0 to 1.")]
Tools = Annotated[float, _mix(help="Share of requests that offer two tools, 0 to 1.")]
Routed = Annotated[
    float,
    _mix(help="Share of requests for `auto`, 0 to 1, where the endpoint has it; else for the --model drawn."),
]
HeaderShare = Annotated[
    float, _mix(help="Share of requests that have all --header, 0 to 1; the others have none.")
]
KeyZipf = Annotated[float, _mix(help="Activity: the k-th --api-key sends 1 / k^KEY_ZIPF; 0 is all the same.")]
PrefixWords = Annotated[
    int,
    _mix(help="Length of a made-up system prompt that requests share, in words; 0 is none."),
]
Prefixes = Annotated[
    int, _mix(help="With --prefix-words, how many different ones; each request has one of them.")
]
PromptWords = Annotated[str, _mix(metavar="RANGE", help=f"Length of made-up prompts. {_RANGE}")]
Prompts = Annotated[
    Path | None,
    _mix(
        metavar="FILE",
        help="Ask these instead, one a line, drawn at random: a router knows no intent in made-up words.",
    ),
]
MaxTokens = Annotated[str, _mix(metavar="RANGE", help=f"Length of answers. {_RANGE}")]
IgnoreEos = Annotated[
    bool, _mix("--ignore-eos", help="Have vLLM go on to max_tokens, for answers of known length.")
]
Usage = Annotated[
    bool,
    _mix(
        "--no-usage",
        help="Leave out `stream_options`, which asks for the count of tokens: for servers that refuse it.",
    ),
]
Seed = Annotated[int, _mix(help="The same seed asks the same.")]

Concurrency = Annotated[
    int | None,
    _arrival(help="Closed loop: so many clients, each asks again once answered; 16 if there is no --rate."),
]
Rate = Annotated[
    float | None, _arrival(help="Open loop: so many requests/s on average, at random times; from 0.01 on.")
]
Burst = Annotated[
    float | None,
    _arrival(
        help="With --rate, how uneven the gaps are (their deviation by their mean, a Gamma distribution): "
        "0 an even beat, 1 Poisson and the default, 3 comes in bursts, 20 is the most.",
    ),
]
Timeout = Annotated[float, _arrival(help="Seconds that an answer may take.")]

Requests = Annotated[int | None, _result(help="Requests of one round; 256 if there is no --duration.")]
Duration = Annotated[
    float | None,
    _result(
        metavar="SECONDS", help="Ask for so long in each round instead; the last answers are waited for."
    ),
]
Rounds = Annotated[int, _result(help="Rounds on each endpoint, in turn; from 2 on with spread.")]
WarmUp = Annotated[int, _result(help="Requests before, on each endpoint, not counted.")]
JsonFile = Annotated[Path | None, _result("--json", metavar="FILE", help="Write all numbers.")]
Png = Annotated[
    Path | None,
    _result(metavar="FILE", help="Draw how the times are spread, and how they went over time, into a .png."),
]
