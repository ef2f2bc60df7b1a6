"""Attacks on pybars3: what each reaches in pybars3 as published, and what becomes of it in the engine."""

from typing import Any, NamedTuple

_EMPTY = "wrote: $"
_FAULT = "TemplateFaultError"
_BOMB = "^(time|memory)$"
_RUN = "__import__('math').factorial(6)"
_RUN_IN_NAME = f"') or {_RUN} or resolve(context, u'"
_RUN_IN_HELPER = f'lookup", context, 0, 0) or {_RUN} or resolve_subexpr(helpers, "'


class Attack(NamedTuple):
    """stock, engine: patterns of the outcomes, as attack.py writes them, from their beginning.

    reached: where it differs from stock, the pattern that no outcome behind the guard may have anywhere.
    """

    name: str
    template: str
    stock: str
    engine: str
    data: Any = None
    partials: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    reached: str = ""


DATA: dict[str, Any] = {"s": "text", "n": 5, "f": 1.5, "b": True, "z": None, "l": ["a", "b"], "d": {"k": "v"}}
_CLASSES = r"wrote: \(&lt;class &#x27;str"
_OBJECT = {
    "o": {"$": "account"},
    "t": {"$": "datetime"},
    "c": {"$": "callable"},
    "m": {"$": "strlist"},
    "p": {"$": "scope"},
}
_TEN = {"l": list(range(10)), "s": "x" * 1000}

ATTACKS = (
    # Attributes, in every place that takes a path.
    Attack("of a text", "{{s.__class__.__mro__}}", _CLASSES, _EMPTY),
    Attack("by a slash", "{{s/__class__/__mro__}}", _CLASSES, _EMPTY),
    Attack("in brackets", "{{s.[__class__].[__mro__]}}", _CLASSES, _EMPTY),
    Attack("documentation", "{{s.__doc__}}", r"wrote: str\(object", _EMPTY),
    Attack("of a number", "{{n.real}}{{n.numerator}}", "wrote: 55", _EMPTY),
    Attack("of a float", "{{f.real}}", "wrote: 1.5", _EMPTY),
    Attack("of true", "{{b.__doc__}}", r"wrote: bool\(x\)", _EMPTY),
    Attack("of an object", "{{d.__doc__}}", r"wrote: dict\(\)", _EMPTY),
    Attack("of all data", "{{__doc__}}", r"wrote: dict\(\)", _EMPTY),
    Attack("of this", "{{this.__doc__}}", r"wrote: dict\(\)", _EMPTY),
    Attack("of the root", "{{@root.s.__class__.__mro__}}", _CLASSES, _EMPTY),
    Attack("from a loop's parent", "{{#each l}}{{../s.__class__.__mro__}}{{/each}}", _CLASSES, _EMPTY),
    Attack("of an element", "{{#each l}}{{this.__class__.__mro__}}{{/each}}", _CLASSES, _EMPTY),
    Attack("by a block", "{{#with s.__class__}}{{__mro__}}{{/with}}", _CLASSES, _EMPTY),
    Attack("in a loop over it", "{{#each s.__class__.__mro__}}{{__name__}} {{/each}}", "wrote: str object", _EMPTY),
    Attack("as a condition", "{{#if s.__class__}}yes{{/if}}", "wrote: yes", _EMPTY),
    Attack("as a section", "{{#with s}}{{#__doc__}}{{this}}{{/__doc__}}{{/with}}", r"wrote: str\(object", _EMPTY),
    Attack("as an argument", "{{#with (lookup s.__class__.__mro__ 0)}}{{__name__}}{{/with}}", "wrote: str", _EMPTY),
    Attack("as an option", "{{> p xx=s.__class__.__mro__}}", _CLASSES, _EMPTY, partials={"p": "{{xx}}"}),
    Attack("as a partial's context", "{{> p s.__class__}}", _CLASSES, _EMPTY, partials={"p": "{{__mro__}}"}),
    Attack("in a partial", "{{> p s}}", _CLASSES, _EMPTY, partials={"p": "{{__class__.__mro__}}"}),
    Attack("as a partial's name", "{{> (lookup l.__len__.__doc__ 0)}}", "ValueError: invalid literal", _FAULT),
    Attack("of a class of one's own", "{{o.password}}", "wrote: hunter2", _EMPTY, _OBJECT),
    Attack("its dictionary", "{{o.__dict__.password}}", "wrote: hunter2", _EMPTY, _OBJECT),
    Attack(
        "its modules",
        "{{#with o.__init__.__globals__}}{{sys.version_info.major}}{{/with}}",
        "wrote: 3",
        _EMPTY,
        _OBJECT,
    ),
    Attack("of a date", "{{t.year}}", "wrote: 2026", _EMPTY, _OBJECT),
    Attack(
        "of pybars3's scope",
        "{{#with p}}{{@root.secret}}{{/with}}",
        "wrote: of the root",
        r"wrote: $",
        _OBJECT,
    ),
    # Calls.
    Attack("a text's method", "{{s.upper}}", r"TypeError: str.upper\(\) takes no arguments", _EMPTY),
    Attack("a text's constructor", "{{s.__class__}}", "wrote: {", _EMPTY),
    Attack("an object's method", "{{d.get 'k'}}", "wrote: k", r"TemplateFaultError: .*'d\.get' is not a helper"),
    Attack("that changes data", "{{d.setdefault}}{{d}}", r"wrote: .*Scope object at", r"wrote: \[object Object\]$"),
    Attack("that never ends", "{{s.join}}", _BOMB, _EMPTY),
    Attack("a callable", "{{c}}", "called", _EMPTY, _OBJECT),
    Attack("a callable as a condition", "{{#if c}}x{{/if}}", "called", "wrote: x", _OBJECT, reached="^called"),
    Attack("a callable as a section", "{{#c}}x{{/c}}", "called", "wrote: x", _OBJECT, reached="^called"),
    # Format strings, which whoever sends the event writes.
    Attack(
        "a format string",
        "{{x.format}}",
        r"wrote: \{&#x27;__name__&#x27;: &#x27;pybars._compiler",
        _EMPTY,
        {"x": "{0.__class__.__init__.__globals__}"},
    ),
    Attack(
        "a format string that fills memory",
        "{{x.format}}",
        _BOMB,
        _EMPTY,
        {"x": "{0.context[n]:>2000000000}", "n": 5},
    ),
    # Python through names and texts.
    Attack("code in brackets", f"{{{{[{_RUN_IN_NAME}]}}}}", "wrote: 720", _EMPTY),
    Attack("code behind a dot", f"{{{{zz.[{_RUN_IN_NAME}]}}}}", "wrote: 720", _EMPTY),
    Attack("code in an argument", f"{{{{#with zz.[{_RUN_IN_NAME}]}}}}{{{{this}}}}{{{{/with}}}}", "wrote: 720", _EMPTY),
    Attack("code in an option", f"{{{{> p xx=zz.[{_RUN_IN_NAME}]}}}}", "wrote: 720", _EMPTY, partials={"p": "{{xx}}"}),
    Attack(
        "code in a helper's name",
        f"{{{{#with ([{_RUN_IN_HELPER}] 1)}}}}{{{{this}}}}{{{{/with}}}}",
        "wrote: 720",
        "TemplateFaultError: .*is not a helper",
        reached="wrote: .*720",
    ),
    Attack("a backslash in brackets", r"{{[x\]}}", "SyntaxError", _EMPTY),
    Attack("a line's end in brackets", "{{[x\ny]}}", "SyntaxError", _EMPTY),
    Attack("a quote in brackets", "{{[x'y]}}", "SyntaxError", _EMPTY),
    Attack("a line separator in brackets", "{{[x\u2028y]}}", _EMPTY, _EMPTY, reached="Error"),
    Attack("a zero byte in brackets", "{{[x\0y]}}", "ValueError|SyntaxError", _EMPTY),
    Attack("a backslash in a partial's name", r"{{> a\}}", "SyntaxError", _FAULT),
    Attack("an option that is a Python word", "{{lookup s class=1}}", "SyntaxError", _FAULT),
    Attack("an option of Python's own", "{{#if s context=1}}x{{/if}}", "TypeError", _FAULT),
    Attack("two options of one name", "{{lookup s ab=1 ab=2}}", "SyntaxError", _FAULT),
    Attack("an option in letters that Python folds", "{{lookup s \uff44ef=1}}", "TypeError|SyntaxError", _FAULT),
    Attack("a digit that is none", "{{lookup l ²}}", "ValueError", _FAULT),
    Attack("more digits than Python reads", "{{lookup l " + "1" * 5000 + "}}", "ValueError", _FAULT),
    # pybars3's own names.
    Attack("the scope's parent", "{{@_parent.s}}", "wrote: text", _EMPTY, reached="wrote: text"),
    Attack("a block as a text", "{{each l d}}", "KeyError|TypeError", _FAULT, reached="wrote: ."),
    Attack("helperMissing", "{{helperMissing 'x' 1}}", "PybarsError", _FAULT),
    Attack(
        "blockHelperMissing over a text",
        "{{#blockHelperMissing s}}{{__class__.__mro__}}{{/blockHelperMissing}}",
        _CLASSES,
        _FAULT,
    ),
    Attack("a tag that is left out", "{{#with (lookup s.[0])}}x{{/with}}", "TypeError", _FAULT),
    Attack("a loop over a text", "{{#each s}}{{this}}-{{/each}}", "wrote: t-e-x-t-", _EMPTY),
    Attack(
        "a loop that hides errors",
        "{{#each l}}{{s.upper}}x{{/each}}{{#each l}}{{../s.upper}}x{{/each}}",
        "wrote: xx$",
        "wrote: xxxx$",
    ),
    Attack("what is logged", "{{log s}}", "logged text", _EMPTY, reached="logged"),
    Attack("Python's way to write data", "{{d}}", r"wrote: \{&#x27;k&#x27;", r"wrote: \[object Object\]$"),
    # Escaping.
    Attack(
        "an attribute without quotes",
        "<a x={{x}}>",
        "wrote: <a x=b onclick=c>",
        r"wrote: <a x=b onclick&#x3D;c>$",
        {"x": "b onclick=c"},
    ),
    Attack(
        "a backtick and a quote",
        "{{x}}",
        r"wrote: &#x60;&#x27;$",
        r"wrote: &#x60;&#x27;$",
        {"x": "`'"},
        reached="[`']$",
    ),
    Attack("pybars3's safe texts", "{{m}}", "wrote: <b>", _EMPTY, _OBJECT),
    Attack(
        "pybars3's safe texts in a list",
        "{{#each x}}{{this}}{{/each}}",
        "wrote: <b>",
        _EMPTY,
        {"x": [{"$": "strlist"}]},
    ),
    # Bombs.
    Attack("a pattern that tries for ever", "\n" + ("{{#a}}" + " " * 30) * 8 + "x", _BOMB, _FAULT),
    Attack("blocks without an end", "{{#a}}" * 3000, "RecursionError|PybarsError|^time$", _FAULT),
    Attack("nested blocks", "{{#a}}" * 400 + "x" + "{{/a}}" * 400, "RecursionError|^time$", _FAULT),
    Attack(
        "nested expressions",
        "{{lookup " + "(lookup " * 150 + "l 0" + " 0)" * 150 + " 0}}",
        "MemoryError|^memory$|SyntaxError|RecursionError",
        _FAULT,
    ),
    Attack("a long text", "<p>x</p>" * 60_000, _BOMB, "CompileLimitError: pybars3 needs more"),
    Attack("many tags", "{{s}} " * 8000, _BOMB, "CompileLimitError: pybars3 needs more"),
    Attack(
        "loops in loops",
        "{{#each @root.l}}" * 9 + "x" + "{{/each}}" * 9,
        _BOMB,
        "OutputTooLargeError|RenderTimeoutError",
        _TEN,
    ),
    Attack(
        "loops in loops that write nothing",
        "{{#each @root.l}}" * 9 + "{{/each}}" * 9,
        _BOMB,
        "RenderTimeoutError",
        _TEN,
    ),
    Attack(
        "texts in loops",
        "{{#each @root.l}}" * 6 + "{{@root.s}}" + "{{/each}}" * 6,
        _BOMB,
        "OutputTooLargeError",
        _TEN,
    ),
    Attack(
        "partials that double",
        "{{> p0}}",
        _BOMB,
        "RenderTimeoutError",
        partials={f"p{n}": f"{{{{> p{n + 1}}}}}" * 2 for n in range(40)} | {"p40": ""},
    ),
    Attack("a partial that calls itself", "{{> p}}", "RecursionError", _FAULT, partials={"p": "x{{> p}}"}),
    Attack(
        "a helper that doubles",
        "{{#with (json (json (json (json (json (json (json (json x))))))))}}{{this}}{{/with}}",
        "PybarsError",
        "OutputTooLargeError",
        {"x": '"' * 20_000},
    ),
)
