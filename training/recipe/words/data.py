"""Words for rows: where they come from, what of them is learned, how they are laid into batches."""

from __future__ import annotations

from training.recipe.words.said import NONE, READ

_SHUFFLED = "here rows are shuffled by seed in each epoch"
_LAID = "here packing lays rows by best fit, decreasing (TRL's bfd)"
_LONG = f"{NONE}data.max_tokens says how long a row may be"
_FILE = "here a source is a file"
_PATH = f"{_FILE}; give its path"
_COLUMNS = "here it is in columns"
_HELD_OUT = "here data.validation_rows are kept out of data.sources and evaluated on"
_RESPONSES = "here sft always learns what the assistant says, and nothing else"
KEYS = {
    **dict.fromkeys(("dataset", "dataset_name", "train_file", "dataset_dir"), ("data.sources",)),
    **dict.fromkeys(("datasets", "pretraining_dataset"), ("data.sources",)),
    **dict.fromkeys(
        ("cutoff_len", "max_length", "max_seq_length", "max_prompt_length"), ("data.max_tokens",)
    ),
    **dict.fromkeys(("sequence_len", "max_prompt_len", "max_seq_len"), ("data.max_tokens",)),
    **dict.fromkeys(("val_size", "val_set_size"), ("data.validation_rows",)),
    **dict.fromkeys(("packing", "neat_packing", "sample_packing", "packed"), ("packing",)),
}
OTHERWISE = {
    **dict.fromkeys(
        ("train_on_prompt", "train_on_inputs", "train_on_input"),
        "here the stage cpt learns every token; the others learn what the assistant says",
    ),
    "mask_history": "here a source of sft has `answers: last`",
    "completion_only_loss": "here the format prompt_completion learns the completion alone",
    **dict.fromkeys(("assistant_only_loss", "train_on_responses_only"), _RESPONSES),
    **dict.fromkeys(("instruction_part", "response_part"), _RESPONSES),
    **dict.fromkeys(("interleave_probs", "mix_strategy"), "here each of data.sources has its weight"),
    "max_samples": f"{NONE}a source's weight below 1 takes a share of its rows",
    **dict.fromkeys(("streaming", "dataset_streaming", "buffer_size", "dataset_num_proc"), READ),
    **dict.fromkeys(("overwrite_cache", "tokenized_path", "dataset_kwargs", "dataloader"), READ),
    **dict.fromkeys(("label_names", "remove_unused_columns", "length_column_name"), READ),
    **dict.fromkeys(("dataset_prepared_path", "skip_prepare_dataset", "dataset_processes"), READ),
    **dict.fromkeys(("dataset_keep_in_memory", "push_dataset_to_hub"), READ),
    **dict.fromkeys(
        ("dataset_shard_num", "dataset_shard_idx"), "here weight takes a share of a source's rows"
    ),
    "dataset_exact_deduplication": f"{NONE}rows are learned as often as they are there; a source that is "
    "given twice is refused",
    "data_shared_file_system": f"{NONE}every process reads the files by itself",
    **dict.fromkeys(("eval_dataset", "test_datasets", "dataset_val"), _HELD_OUT),
    "eval_on_each_dataset": "here cpt measures each held-out text by itself, other stages all rows together",
    "dataset_text_field": "here it is columns of a source, such as {text: body}",
    "mapping": "here each of data.sources has its columns",
    **dict.fromkeys(("path", "data_path"), "here each of data.sources has its path"),
    **dict.fromkeys(("dataset_config", "dataset_train_split", "dataset_test_split"), _FILE),
    **dict.fromkeys(("shuffle_dataset", "disable_shuffling", "shuffle"), _SHUFFLED),
    **dict.fromkeys(("train_sampling_strategy", "shuffle_merged_datasets", "curriculum_sampling"), _SHUFFLED),
    **dict.fromkeys(("truncation_mode", "excess_length_strategy"), _LONG),
    "min_sample_len": f"{NONE}short rows are learned too, but texts of white space",
    "ignore_pad_token_for_loss": "here padding is never learned",
    **dict.fromkeys(("packing_strategy", "multipack_real_batches", "batch_flattening"), _LAID),
    "pretraining_sample_concatenation": "here cpt lays its texts one after another into data.max_tokens",
    "padding_free": f"{NONE}packing is what saves padding, in sft",
    **dict.fromkeys(
        ("pad_to_multiple_of", "pad_to_sequence_len"),
        "here batches are padded to a multiple of 8 on a GPU, and to no more on a CPU",
    ),
    "group_by_length": "here a batch's rows are of like length, but in ppo, grpo and quantize",
}
FAMILIES = {
    **dict.fromkeys(("dataloader_", "preprocessing_"), READ),
    **dict.fromkeys(("sample_packing_", "pretrain_multipack_"), _LAID),
    "total_num_": READ,
}
IN_SOURCE = {  # what they call the keys of a source of rows → what is said of it
    **dict.fromkeys(("file_name", "file", "data_files", "dataset", "dataset_name"), "here it is path"),
    "source": "here it is path",
    **dict.fromkeys(("formatting", "type", "ds_type", "_component_"), "here it is format"),
    "tags": "here role_tag, content_tag and the other tags stand in columns",
    "ranking": "here it is `format: pairs`, or columns of alpaca and sharegpt with chosen and rejected",
    **dict.fromkeys(
        ("num_samples", "max_samples", "shards"), "here weight takes a share of the rows, such as 0.5"
    ),
    **dict.fromkeys(("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"), _PATH),
    **dict.fromkeys(("subset", "split", "folder", "name"), "here a source is one file; give its path"),
    **dict.fromkeys(("prompt", "query", "response", "history", "messages", "system", "tools"), _COLUMNS),
    **dict.fromkeys(("chosen", "rejected", "kto_tag", "column", "column_map"), _COLUMNS),
    **dict.fromkeys(("field_messages", "message_property_mappings", "conversation_column"), _COLUMNS),
    **dict.fromkeys(("roles_to_train", "train_on_eos", "train_on_eot"), _RESPONSES),
    "chat_template": f"{NONE}the base's tokenizer and its chat template say it",
}
