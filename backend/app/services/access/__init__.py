"""Who may do what. Knows no web framework: callers, keys, tokens, rules, and the log of acts."""
