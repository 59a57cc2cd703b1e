"""More vocabulary: pieces are those of BPE that goes on, ids stay, embeddings begin as means, tied or not."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoTokenizer,
    GemmaTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
)

from tests.training.continued import NEW_WORDS, texts
from tests.training.rows import TEMPLATE, spoken
from training.cpt import vocabulary
from training.errors import BaseError, NothingToLearn
from training.models import base as bases
from training.models import tokenizer as bpe
from training.recipe import Vocabulary

PIECES = 16
SPACE = "\u2581"  # as Llama and Gemma write it
PLAN = Vocabulary(pieces=PIECES, min_count=2)
NEW = [str(row["text"]) for row in texts(NEW_WORDS, 60, 1)]
LETTERS = st.text(alphabet="zebraquitwlj <|endoftx>\n街1", max_size=60)


def extended(old: Any, folder: Path, plan: Vocabulary = PLAN) -> Any:
    vocabulary.save(old, vocabulary.learn(old, NEW, plan), folder)
    return bases.load_tokenizer(str(folder))


@pytest.fixture(scope="module")
def old(base: Path) -> Any:
    return bases.load_tokenizer(str(base))


@pytest.fixture(scope="module")
def new(old: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return extended(old, tmp_path_factory.mktemp("extended"))


def expanded(old: Any, new: Any, text: str) -> list[int]:
    found = vocabulary.pieces(old, new)
    ids = new(text, add_special_tokens=False)["input_ids"]
    return [piece for token in ids for piece in found.get(token, [token])]


@given(text=LETTERS)
def test_a_text_is_cut_as_before_but_for_the_pieces(old: Any, new: Any, text: str) -> None:
    assert expanded(old, new, text) == old(text, add_special_tokens=False)["input_ids"]
    assert new.decode(new(text)["input_ids"]) == old.decode(old(text)["input_ids"])


def test_old_tokens_keep_their_ids_and_new_ones_follow(old: Any, new: Any) -> None:
    before, after = old.get_vocab(), new.get_vocab()
    assert {token: after[token] for token in before} == before
    assert sorted(set(after.values()) - set(before.values())) == [*range(len(old), len(old) + PIECES)]
    assert new.chat_template == old.chat_template
    assert (new.eos_token, new.pad_token) == (old.eos_token, old.pad_token)
    turn = [{"role": "user", "content": "zebra <think> quiz"}]
    assert expanded(old, new, new.apply_chat_template(turn, tokenize=False)) == list(
        old.apply_chat_template(turn)["input_ids"]
    )


def test_the_new_text_takes_fewer_tokens(old: Any, new: Any) -> None:
    before, after = (len(tokenizer(NEW[0])["input_ids"]) for tokenizer in (old, new))
    assert after < 0.6 * before


def test_pieces_are_those_of_byte_pair_encoding_gone_on(old: Any) -> None:
    """Counted anew before each merge (Sennrich et al., algorithm 1), which is slow and plain."""
    backend = old.backend_tokenizer
    words = Counter(word for text in NEW for word, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    cut = {word: [token.value for token in backend.model.tokenize(word)] for word in words}
    known = set(old.get_vocab())
    for merge in vocabulary.learn(old, NEW, PLAN):
        counts: Counter[tuple[str, str]] = Counter()
        for word, symbols in cut.items():
            for pair in pairwise(symbols):
                counts[pair] += words[word]
        best = max((count, pair) for pair, count in counts.items() if "".join(pair) not in known)[0]
        assert counts[merge] == best
        known.add("".join(merge))
        for symbols in cut.values():
            for at in range(len(symbols) - 1):
                if tuple(symbols[at : at + 2]) == merge:
                    symbols[at : at + 2] = ["".join(merge)]


def test_the_order_of_the_texts_decides_nothing(old: Any) -> None:
    shuffled = random.Random(0).sample(NEW, len(NEW))
    assert vocabulary.learn(old, shuffled, PLAN) == vocabulary.learn(old, NEW, PLAN)


def test_what_is_rare_is_no_piece(old: Any) -> None:
    rare = vocabulary.learn(old, NEW, Vocabulary(pieces=1000, min_count=150))
    assert 0 < len(rare) < len(vocabulary.learn(old, NEW, Vocabulary(pieces=1000, min_count=2)))
    with pytest.raises(NothingToLearn, match="no two neighbouring tokens occur 100000 times"):
        vocabulary.learn(old, NEW, Vocabulary(pieces=5, min_count=100_000))


def test_a_look_says_whether_a_piece_will_be_found(old: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(vocabulary._model(old)["vocab"])
    words = vocabulary._Words.of(vocabulary._cut(old, NEW))
    most = max(count for pair, count in words.pairs.items() if "".join(pair) not in known)
    just, over = (Vocabulary(pieces=1, min_count=count) for count in (most, most + 1))
    assert vocabulary.look(old, NEW, just)
    assert vocabulary.learn(old, NEW, just)
    for told in (vocabulary.look, vocabulary.learn):
        with pytest.raises(NothingToLearn, match=f"no two neighbouring tokens occur {most + 1} times"):
            told(old, NEW, over)
    monkeypatch.setattr(vocabulary, "_AT_ONCE", 1)
    monkeypatch.setattr(vocabulary, "LOOKED_AT", sum(map(len, NEW[:-1])) - 1)
    assert not vocabulary.look(old, NEW, over)


def own_kind(family: str, old: Any) -> Any:
    """A tokenizer of the class that the family's bases have; ``old`` gives Qwen its bytes and merges."""
    if family == "qwen2":
        model = vocabulary._model(old)
        merges = [tuple(merge) for merge in model["merges"]]
        special = ["<|im_start|>", "<|im_end|>"]
        return Qwen2Tokenizer(vocab=model["vocab"], merges=merges, additional_special_tokens=special)
    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] if family == "gemma" else ["<unk>", "<s>", "</s>"]
    letters = sorted({SPACE, *"".join(NEW).replace(" ", "")})
    symbols = [*first, *(f"<0x{byte:02X}>" for byte in range(256)), *letters, f"{SPACE}z"]
    kind = GemmaTokenizer if family == "gemma" else LlamaTokenizer
    vocab = {symbol: number for number, symbol in enumerate(symbols)}
    return kind(vocab=vocab, merges=[(SPACE, "z")])


@pytest.mark.parametrize("family", ["qwen2", "llama", "gemma"])
def test_every_familys_tokenizer_grows_in_its_own_class(old: Any, tmp_path: Path, family: str) -> None:
    own_kind(family, old).save_pretrained(tmp_path / "old")
    before = AutoTokenizer.from_pretrained(tmp_path / "old")
    many = [*NEW, *["éé zebra\nquiz"] * 500]  # é is spelled in two bytes
    merges = vocabulary.learn(before, many, PLAN)
    vocabulary.save(before, merges, tmp_path / "new")
    after = AutoTokenizer.from_pretrained(tmp_path / "new")
    assert type(after) is type(before)
    assert before.get_vocab().items() <= after.get_vocab().items()
    assert len(after) == len(before) + PIECES
    for text in (*NEW[:5], "quiz  éé zzz\n\nzebra", "<|im_start|>waltz", "<bos>jazz"):
        assert expanded(before, after, text) == before(text, add_special_tokens=False)["input_ids"]
        assert after.decode(after(text)["input_ids"]) == before.decode(before(text)["input_ids"])
    pieces = ["".join(merge) for merge in merges]
    assert {"zebra", f"{SPACE}zebra", "\u0120zebra"}.intersection(pieces)
    # No piece holds a byte that is spelled out, a line end, or a space but before a word.
    assert not [piece for piece in pieces if "<0x" in piece or SPACE in piece[1:] or "\n" in piece]


def test_a_tokenizer_that_is_no_plain_bpe_is_refused() -> None:
    backend: Any = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    backend.pre_tokenizer = Whitespace()
    with pytest.raises(BaseError, match="of the kind WordLevel; pieces can be added to plain BPE alone"):
        vocabulary.learn(PreTrainedTokenizerFast(tokenizer_object=backend), NEW, PLAN)
    backend = Tokenizer(models.BPE({"a</w>": 0}, [], end_of_word_suffix="</w>"))
    with pytest.raises(BaseError, match="BPE that marks words by '</w>'"):
        vocabulary.learn(PreTrainedTokenizerFast(tokenizer_object=backend), NEW, PLAN)


def model_of(tied: bool, rows: int) -> Any:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return LlamaForCausalLM(LlamaConfig(vocab_size=rows, tie_word_embeddings=tied, **shape))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("spare", [0, 10, 50])  # rows of the embedding that the tokenizer does not use
def test_new_rows_are_means_and_nothing_else_moves(
    old: Any, new: Any, tmp_path: Path, tied: bool, spare: int
) -> None:
    model = model_of(tied, len(old) + spare)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = vocabulary.pieces(old, new)
    vocabulary.grow(model, found)
    read, said = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (said is read) == tied
    assert len(read) == len(said) == model.config.vocab_size == len(old) + max(spare, PIECES)
    for matrix, name in ((read, "model.embed_tokens.weight"), (said, "lm_head.weight")):
        assert torch.equal(matrix[: len(old)], before[name][: len(old)])
        for row, pieces in found.items():
            assert torch.equal(matrix[row], torch.stack([before[name][piece] for piece in pieces]).mean(0))
    others = [name for name in before if "embed_tokens" not in name and "lm_head" not in name]
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in others)

    with torch.no_grad():  # as if trained: where they are tied, one change is the other's too
        read[len(old)] += 1.0
    ids = torch.tensor([[1, len(old), 2]])
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    bases.save(model, new, tmp_path / "saved")
    loaded: Any = bases.load_model(str(tmp_path / "saved"))
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model(ids).logits)
    assert (loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight) == tied


def test_a_base_that_is_tied_by_its_config_alone_is_not_saved(tmp_path: Path, old: Any) -> None:
    model = model_of(True, len(old))
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 1.0)  # what a bad merge leaves
    with pytest.raises(BaseError, match="lm_head has come apart from the embedding"):
        bases.save(model, old, tmp_path / "saved")


def test_a_tokenizer_of_the_demos_kind_grows_alike_from_any_state(old: Any, new: Any, tmp_path: Path) -> None:
    """Pieces on pieces: what was extended once is extended again, and ids still stay."""
    again = extended(new, tmp_path, Vocabulary(pieces=5, min_count=2))
    assert {token: again.get_vocab()[token] for token in new.get_vocab()} == new.get_vocab()
    for text in NEW[:5]:
        assert expanded(new, again, text) == new(text)["input_ids"]


def test_it_shortens_a_text_as_much_as_the_tokenizers_library(tmp_path: Path) -> None:
    """From bytes alone; which of several pairs of the same count comes first is each one's own."""
    letters = bpe.train([], vocab_size=280, chat_template=TEMPLATE, context=64)
    whole: Any = bpe.train(spoken(), vocab_size=330, chat_template=TEMPLATE, context=64)
    count = len(vocabulary._model(whole)["merges"])
    merges = vocabulary.learn(letters, spoken(), Vocabulary(pieces=count, min_count=2))
    vocabulary.save(letters, merges, tmp_path)
    ours, theirs = (
        sum(len(tokenizer(text)["input_ids"]) for text in spoken())
        for tokenizer in (bases.load_tokenizer(str(tmp_path)), whole)
    )
    assert count > 40
    assert ours == pytest.approx(theirs, rel=0.02)
