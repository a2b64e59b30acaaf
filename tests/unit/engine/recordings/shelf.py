"""Every kind of value, each option and each call that the embedded engine implements, on the plugin ``shelf``."""

from __future__ import annotations

import recorder

recorder.record()

import pulumi  # noqa: E402
from pulumi import Alias, CustomResource, CustomTimeouts, Output, ProviderResource, ResourceOptions  # noqa: E402

BOOK = "shelf:index:Book"


class Book(CustomResource):
    label: Output[str]
    number: Output[int]

    def __init__(self, name: str, options: ResourceOptions | None = None, **props: object) -> None:
        options = ResourceOptions.merge(ResourceOptions(version="1.2.0"), options)
        super().__init__(BOOK, name, {"title": name, "label": None, "number": None, **props}, options)


class Case(pulumi.ComponentResource):
    """A component with a child, whose options the child inherits."""

    def __init__(self, name: str, options: ResourceOptions | None = None) -> None:
        super().__init__("test:index:Case", name, {"doors": 2}, options)
        self.book = Book(f"{name}-book", ResourceOptions(parent=self))
        self.register_outputs({"label": self.book.label, "number": self.book.number})


def tagged(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
    """A transform that the engine calls back."""
    if args.type_ != BOOK:
        return None
    return pulumi.ResourceTransformResult(props={**args.props, "by": "a transform"}, opts=args.opts)


def older(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """A transformation, which the SDK applies before it registers."""
    return pulumi.ResourceTransformationResult({**args.props, "by": "a transformation"}, args.opts)


def count(of: str, **options: object) -> object:
    """A function call that is waited for."""
    return pulumi.runtime.invoke(
        "shelf:index:count", {"of": of}, pulumi.InvokeOptions(version="1.2.0", **options)
    ).value


def values(first: Book) -> None:
    """What a property may be."""
    Book("plain", text="a", whole=3, part=2.5, yes=True, nothing=None, items=[1, "two", {"three": 3.0}], empty={})
    Book("assets", text=pulumi.StringAsset("words"), file=pulumi.FileAsset("recorder.py"), away=REMOTE, folder=ARCHIVE)
    Book(
        "secrets",
        word=Output.secret("hidden"),
        deep={"in": [Output.secret({"a": 1})]},
        config=CONFIG.get_secret("word"),
    )
    Book(
        "derived",
        label_of=first.label,
        number_of=first.number,
        both=Output.format("{0} {1}", first.label, first.number),
    )


def options(first: Book) -> None:
    """Each option."""
    north = ProviderResource("shelf", "north", {"room": "north"}, ResourceOptions(version="1.2.0"))
    Case("case", ResourceOptions(aliases=[Alias(name="chest")]))
    Book("served", ResourceOptions(provider=north))
    Book("after", ResourceOptions(depends_on=[first], deleted_with=first))
    Book("kept", ResourceOptions(protect=True, retain_on_delete=True))
    Book("careful", ResourceOptions(delete_before_replace=False, custom_timeouts=CustomTimeouts("1h30m", "2m", "3s")))
    Book("paths", ResourceOptions(ignore_changes=["tags.kept", "rules[*].n"], replace_on_changes=["tags.age"]))
    Book("hidden", ResourceOptions(additional_secret_outputs=["label"], delete_before_replace=True))
    Book("renamed", ResourceOptions(aliases=[*ALIASES, "urn:pulumi:dev::trial::shelf:index:Book::first-name"]))
    Book("transformed", ResourceOptions(transforms=[tagged], transformations=[older]))
    Book("imported", ResourceOptions(import_="hall-imported-"), pages=100)
    Book("read", ResourceOptions(id="hall-imported-"))
    count("rooms", provider=north)


CONFIG = pulumi.Config()
REMOTE = pulumi.RemoteAsset("https://example.com/asset")
ARCHIVE = pulumi.AssetArchive({"one": pulumi.StringAsset("1"), "two": pulumi.FileArchive("folder")})
ALIASES = [Alias(name="old", parent=pulumi.ROOT_STACK_RESOURCE), Alias(type_="shelf:index:Paper", stack="old")]

pulumi.runtime.register_resource_transform(lambda args: None)
pulumi.export("count", count("books"))
one = Book("one")
values(one)
options(one)
pulumi.runtime.invoke_output("shelf:index:count", {"of": one.label}, pulumi.InvokeOptions(version="1.2.0"))
pulumi.export("label", one.label)
pulumi.export("number", Output.secret(one.number))
