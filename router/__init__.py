"""The router: conversation → intent, confidence, abstention. Knows no prompt, no adapter and no HTTP.

::

    judging/   how good a router is, and which examples would make it better
    router     fit, load, save, decide: the one entry; batching is the same in an event loop
    deciding/  what is laid over a model: rules, parameters, parents, tracks → a decision
    learning/  examples → a fitted model and a report on it, kept in a folder
    model/     what a decision needs of a fit: features → logits → signals → confidences
    encoding/  a text → its vectors
    text/      what can be told of a text without a model: turns, sentences, orders, slips, patterns
    examples   what a router is fitted on; errors: all that it raises

Each knows what stands below it and nothing above.
"""
