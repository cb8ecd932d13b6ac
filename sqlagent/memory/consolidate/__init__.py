"""Consolidation: near-duplicates merged, recurring episodes distilled into semantic memories.

Read (`rows`), find what says the same (`merges`) and what recurs (`episodes`), extract its text
(`extract`), or let a model phrase it (`model`): steps (`steps`), which `apply` carries out, each
looked at again in the transaction that writes it. Nothing is rewritten and nothing is deleted:
a duplicate is archived, and links tell what it went into.
"""
