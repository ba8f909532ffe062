"""The rule-expression language of App Services: what `can_evaluate` says. Pure.

| module | job |
|---|---|
| `values` | missing, equality and order of JSON and Extended JSON values |
| `expansions` | `%%user.data.email`: which names there are, how a path is followed |
| `conversions` | `%stringToOid` and its kin |
| `comparisons` | `%eq %ne %gt %gte %lt %lte %in %nin %exists` |
| `operands` | values in an expression: literals, expansions, conversions, `%function` |
| `conditions` | what is true or false: fields, operators, `%and %or %nor %not`, embedded expressions |
| `rule` | compile once, evaluate for each call |
"""

from __future__ import annotations

from workers.functions.rules.errors import RuleFailed, RuleInvalid
from workers.functions.rules.rule import FAILED, Ask, Rule, compile_rule, evaluate
from workers.functions.rules.values import MISSING

__all__ = ["FAILED", "MISSING", "Ask", "Rule", "RuleFailed", "RuleInvalid", "compile_rule", "evaluate"]
