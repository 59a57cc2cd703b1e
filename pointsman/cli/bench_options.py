"""The options of ``pointsman bench``, in the groups in which ``--help`` shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_ENDPOINTS = "What is asked"
_MIX = "The mix"
_ARRIVAL = "How requests come"
_RESULT = "How much, and what is written"
_RANGE = "A number, or LOW:HIGH for all between."

ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A model, the most popular first; repeat for a mix. `auto` is what Pointsman routes.",
        show_default=False,
        rich_help_panel=_ENDPOINTS,
    ),
]
AgainstOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Another endpoint, measured in turn with the first; repeat for more.",
        show_default=False,
        rich_help_panel=_ENDPOINTS,
    ),
]
AgainstModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="What the others call each --model, in the same order; else the same.",
        show_default=False,
        rich_help_panel=_ENDPOINTS,
    ),
]
AgainstKeyOption = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="The others' key, if they ask for one.", rich_help_panel=_ENDPOINTS),
]
ZipfOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Popularity: the k-th model gets 1 / k^ZIPF; 0 is all the same.",
        rich_help_panel=_MIX,
    ),
]
StreamOption = Annotated[
    float, typer.Option(min=0, max=1, help="Share of requests that are streamed.", rich_help_panel=_MIX)
]
ToolsOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of requests that offer two tools.", rich_help_panel=_MIX),
]
RoutedOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of requests for `auto`, where the endpoint has it; else for the --model drawn.",
        rich_help_panel=_MIX,
    ),
]
PromptWordsOption = Annotated[
    str, typer.Option(metavar="RANGE", help=f"Length of made-up prompts. {_RANGE}", rich_help_panel=_MIX)
]
PromptsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Ask these instead, one a line, drawn at random: a router knows no intent in made-up words.",
        show_default=False,
        rich_help_panel=_MIX,
    ),
]
MaxTokensOption = Annotated[
    str, typer.Option(metavar="RANGE", help=f"Length of answers. {_RANGE}", rich_help_panel=_MIX)
]
IgnoreEosOption = Annotated[
    bool,
    typer.Option(
        "--ignore-eos",
        help="Have vLLM go on to max_tokens, for answers of known length.",
        rich_help_panel=_MIX,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed asks the same.", rich_help_panel=_MIX)]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Closed loop: so many clients, each asks again once answered; 16 if there is no --rate.",
        show_default=False,
        rich_help_panel=_ARRIVAL,
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        min=0.01, help="Open loop: so many requests/s on average, at random times.", rich_help_panel=_ARRIVAL
    ),
]
BurstOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=20,
        help="With --rate, how uneven the gaps are (their deviation by their mean, a Gamma distribution): "
        "0 an even beat, 1 Poisson and the default, 3 comes in bursts.",
        rich_help_panel=_ARRIVAL,
    ),
]
TimeoutOption = Annotated[
    float, typer.Option(min=0.1, help="Seconds that an answer may take.", rich_help_panel=_ARRIVAL)
]
RequestsOption = Annotated[int, typer.Option(min=1, help="Requests of one round.", rich_help_panel=_RESULT)]
RoundsOption = Annotated[
    int,
    typer.Option(
        min=1, help="Rounds on each endpoint, in turn; from 2 on with spread.", rich_help_panel=_RESULT
    ),
]
WarmUpOption = Annotated[
    int,
    typer.Option(min=0, help="Requests before, on each endpoint, not counted.", rich_help_panel=_RESULT),
]
JsonFileOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write all numbers.", show_default=False, rich_help_panel=_RESULT
    ),
]
PngOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Draw how the times are spread, and how they went over time.",
        show_default=False,
        rich_help_panel=_RESULT,
    ),
]
