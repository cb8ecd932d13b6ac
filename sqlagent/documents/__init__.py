"""Files as documents: which files a source names, and the title and text of one.

Markdown, HTML, plain text, source code, CSV, JSON and e-mail are read with Python's own library;
PDF, DOCX, PPTX and XLSX with those of the extra [documents], imported on use.
"""
