"""The byte-level BPE tokenizer of a base that is made from scratch.

Its cut into words serves copying, which is most of what a small model's answers are: a name, an id or a
number must be the same tokens wherever it stands, after a space as after a quotation mark. So digits,
capital letters that follow each other and Han characters stand alone, and only a lower-case word takes the
space in front of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"  # closes a document; also the padding
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"  # closes a turn; what generation stops at
SPECIAL = (END_OF_TEXT, TURN_START, TURN_END)
MARKERS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
WORDS = (
    r"\p{N}"  # one digit
    r"|\p{Han}"  # one Han character
    r"|'(?:s|t|re|ve|m|ll|d)(?!\p{L})"  # an English ending
    r"| ?\p{Ll}+"  # a lower-case word and the space before it
    r"|\p{Lu}\p{Ll}*"  # a capital and the rest of its word, never the space before it
    r"|\p{L}[\p{L}\p{M}]*"  # any other script
    r"| ?[^\s\p{L}\p{N}]+"  # punctuation
    r"|\s*[\r\n]+"  # line ends
    r"|\s+(?!\S)"  # spaces, the last of them left for the word after it
    r"|\s+"
)


def train(
    texts: Iterable[str], *, vocab_size: int, chat_template: str, context: int
) -> PreTrainedTokenizerFast:
    """A tokenizer of ``vocab_size`` tokens learned from ``texts``; ``context``: the base's, in tokens.

    The result depends on the texts alone: the same texts give the same ``tokenizer.json``.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(MARKERS),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(marker, normalized=False, special=False) for marker in MARKERS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_START],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        chat_template=chat_template,
    )
