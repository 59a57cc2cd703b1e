"""Prompt templates by name and version. They know nobody who uses them.

``library.PromptLibrary`` reads a folder of them, ``template.PromptTemplate`` renders one.
"""
