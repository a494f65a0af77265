"""The configuration file, from its bytes to frozen settings.

``document`` and ``treebuilder`` make a ``tree`` that knows lines and columns; ``environment`` fills in
variables; ``schema`` (keys), ``fieldtypes`` and ``checks`` (their values), ``values`` and ``files`` (plain
parsers) and ``rules`` (across keys) check it; ``wording`` turns what they refuse into sentences; ``assemble``
makes the ``settings`` that everything else uses; ``load`` is the way in, and ``apart`` the one for a daemon.
"""
