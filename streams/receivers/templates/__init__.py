"""Templates of receivers, in Jinja: rendered in a process that may be killed, since Jinja's sandbox stops no loop.

Brief, templates ── pipe ──► program: limits of memory and processor time, Jinja's sandbox
Brief with the rendered subject, text and HTML ◄──┘     or the built-in words, with why the template failed
"""
