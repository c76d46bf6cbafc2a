"""Protos as files: moved, removed, renamed or not compiling at all, and the ones of this repository."""

import shutil
from pathlib import Path

import pytest

from schemas.gate import proto, tree
from schemas.gate.finding import Finding
from schemas.gate.proto.buf import BufMissingError

HEAD = 'syntax = "proto3"; package shop.v1;\n'
ITEM = HEAD + "message Item { string name = 1; }\nmessage Box { string label = 1; }\n"
REPOSITORY = Path(__file__).parents[4]


def _check(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [str(finding) for finding in proto.check(before, after)]


def test_the_protos_of_the_repository_compile_and_fit_themselves() -> None:
    protos = tree.below(tree.read(REPOSITORY / "schemas"), tree.PROTO)
    assert {"tailrace/users/v1/users.proto", "tailrace/loyalty/v1/loyalty.proto"} <= set(protos)
    commented = {path: f"{text}\n// The end.\n" for path, text in protos.items()}
    assert _check(protos, commented) == []


def test_a_first_proto_breaks_nobody() -> None:
    assert _check({}, {"shop/v1/item.proto": ITEM}) == []


def test_a_new_file_breaks_nobody() -> None:
    new = HEAD + "message Crate {}"
    assert _check({"a.proto": ITEM}, {"a.proto": ITEM, "b.proto": new}) == []


def test_a_removed_file_is_named() -> None:
    assert _check({"shop/v1/item.proto": ITEM}, {}) == [
        (
            'shop.v1 /shop/v1/item.proto: previously present file "shop/v1/item.proto" was deleted; programs that '
            "import what is generated from it break. Bring the file back under its old name"
        )
    ]


def test_a_renamed_file_is_refused_though_its_types_live_on() -> None:
    found = proto.check({"shop/v1/item.proto": ITEM}, {"shop/v1/thing.proto": ITEM})
    assert [finding.rule for finding in found] == ["file-no-delete"]


def test_a_message_that_moves_between_files_is_compared_there() -> None:
    item, _, box = ITEM.removeprefix(HEAD).partition("\n")
    after = {"a.proto": HEAD + item, "b.proto": HEAD + box.replace("label = 1", "label = 2")}
    found = proto.check({"a.proto": ITEM}, after)
    assert [(finding.subject, finding.path, finding.rule) for finding in found] == [
        ("shop.v1", "/a.proto", "message-no-delete"),
        ("shop.v1", "/b.proto", "field-no-delete-unless-name-reserved"),
        ("shop.v1", "/b.proto", "field-no-delete-unless-number-reserved"),
    ]


def test_a_changed_package_is_one_finding() -> None:
    after = ITEM.replace("package shop.v1", "package store.v1")
    assert _check({"a.proto": ITEM}, {"a.proto": after}) == [
        (
            'shop.v1 /a.proto: file package changed from "shop.v1" to "store.v1"; every full name changes, and with '
            "it the paths that clients call. Keep the package, and put a new version into a directory of its own"
        )
    ]


def test_a_file_that_does_not_compile_is_named_with_the_line() -> None:
    broken = ITEM.replace("string name = 1;", "string name = 1; int32 age = 1;")
    assert proto.check({"shop/v1/item.proto": ITEM}, {"shop/v1/item.proto": broken}) == [
        Finding(
            subject="protos",
            path="/shop/v1/item.proto",
            rule="proto-does-not-compile",
            problem="does not compile: field number `1` used more than once in "
            "`message Item { string name = 1; int32 age = 1; }`",
            fix="Mend the file; nothing can be compared before",
            file="shop/v1/item.proto",
            line=2,
        )
    ]


def test_a_missing_import_is_a_finding() -> None:
    found = proto.check({}, {"a.proto": HEAD + 'import "gone.proto";'})
    assert {finding.rule for finding in found} == {"proto-does-not-compile"}
    assert "gone.proto" in " ".join(map(str, found))


def test_a_baseline_that_does_not_compile_is_not_passed_over() -> None:
    found = proto.check({"a.proto": HEAD + "message {"}, {"a.proto": ITEM})
    assert {each.rule for each in found} == {"baseline-does-not-compile"}


@pytest.mark.parametrize("head", ['syntax = "proto2";', 'edition = "2023";', ""])
def test_another_syntax_is_refused_because_its_rules_are_unknown(head: str) -> None:
    (finding,) = proto.check({}, {"a.proto": head + " package a.v1; message A {}"})
    assert finding.rule == "syntax-not-proto3"


def test_files_of_one_package_refer_to_each_other() -> None:
    user = HEAD + 'import "shop/v1/item.proto"; message Cart { repeated Item items = 1; }'
    tree = {"shop/v1/cart.proto": user, "shop/v1/item.proto": ITEM}
    after = tree | {"shop/v1/item.proto": ITEM.replace("string name", "bytes name")}
    assert [finding.path for finding in proto.check(tree, after)] == ["/shop/v1/item.proto"]


def test_without_the_compiler_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    with pytest.raises(BufMissingError, match="make install"):
        proto.check({}, {"a.proto": ITEM})


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ('option go_package = "a/b";', 'option go_package = "b/c";', "file-same-go-package"),
        ('option java_package = "a";', "", "file-same-java-package"),
        ("", "option optimize_for = LITE_RUNTIME;", "file-same-optimize-for"),
        (
            "message N { int64 a = 1; }",
            "message N { int64 a = 1 [jstype = JS_STRING]; }",
            "field-same-jstype",
        ),
        (
            "service S { rpc X(Item) returns (Item) { option idempotency_level = IDEMPOTENT; } }",
            "service S { rpc X(Item) returns (Item); }",
            "rpc-same-idempotency-level",
        ),
        (
            "message N { oneof o { string b = 2; } }",
            'message N { reserved 2; reserved "b"; }',
            "oneof-no-delete",
        ),
        (
            "enum E { option allow_alias = true; Z = 0; A = 1; B = 1; }",
            'enum E { reserved "B"; Z = 0; A = 1; }',
            "enum-value-same-name",
        ),
        (
            "extend google.protobuf.FieldOptions { string note = 50001; }",
            "",
            "extension-no-delete",
        ),
        (
            "extend google.protobuf.FieldOptions { string note = 50001; }",
            "extend google.protobuf.FieldOptions { string note = 50002; }",
            "extension-changed",
        ),
    ],
)
def test_what_generators_heed_is_judged(before: str, after: str, rule: str) -> None:
    head = HEAD + 'import "google/protobuf/descriptor.proto";\n'
    item = ITEM.removeprefix(HEAD)
    found = proto.check({"a.proto": head + before + item}, {"a.proto": head + after + item})
    assert [finding.rule for finding in found] == [rule]
