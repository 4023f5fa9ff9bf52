"""The review page's server: this machine only, and only for who knows the token.

Everything stands under `/TOKEN/`. A request must name this very host, so that no name of somebody
else's can be made to point here, and a writing one must come from the page itself.
"""

from __future__ import annotations

import asyncio
import io
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar

from aiohttp import web
from PIL import ImageOps
from pydantic import Field, ValidationError

from backends.images import open_image, readable_image
from pages.render import TEMPLATES, render
from pages.review_board import THRESHOLDS, Board
from pages.review_files import Found, ReviewFile
from pages.review_forms import FormError, check, edited, fields
from pages.review_items import alternative, image_of
from runtime.config import read_yaml
from runtime.config_edit import set_value
from runtime.errors import ToolkitError
from runtime.review_items import digest
from runtime.reviews import REVIEWS
from schemas.base import StrictModel
from schemas.config import Config, DiscriminatorConfig
from schemas.review import Decision, Reason, Review, Reviewer

_PIXELS = 1600
"""The longer side of an image as it is shown."""
_STATIC = {"theme.css": "text/css", "review.css": "text/css", "review.js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Server": "grainwise",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Setup:
    """What the page was started with. `images` is what image paths are relative to."""

    folder: Path
    images: Path
    config: Path | None
    reviewer: str


class ImageRequest(StrictModel):
    """What the page sends for an image: `n` counts the items from 1."""

    file: str
    n: int


class Request(StrictModel):
    """What the page sends with everything else; an item without `n` is the first open one."""

    file: str
    reviewer: Reviewer
    n: int | None = None


class DecideRequest(Request):
    """What the page sends with a decision; `values` are those of the form."""

    n: int
    sha256: str
    decision: Decision
    reason: Reason = ""
    values: dict[str, str] | None = None


class ThresholdRequest(StrictModel):
    """A place of the slider, in nats."""

    at: Annotated[float, Field(ge=0, le=THRESHOLDS[-1])]


Asked = TypeVar("Asked", bound=StrictModel)


class ReviewServer:
    """Answers the page. One request at a time touches the board, as all run in one event loop."""

    def __init__(self, board: Board, setup: Setup, port: int = 0) -> None:
        """Port 0 is any free one. Raises ToolkitError("input") for one that is taken."""
        self.board, self.setup = board, setup
        self.token = secrets.token_urlsafe(32)
        self._jpeg = lru_cache(maxsize=32)(_jpeg)
        try:
            self.socket = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            message = f"port {port}: {getattr(error, 'strerror', None) or error}"
            raise ToolkitError("input", message, "choose another --port, or none") from error

    @property
    def host(self) -> str:
        """Where it listens: `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        return f"http://{self.host}/{self.token}/"

    def run(self) -> None:
        """Serve until interrupted."""
        web.run_app(self.app(), sock=self.socket, print=None, access_log=None)

    def app(self) -> web.Application:
        """What answers requests."""
        app = web.Application(middlewares=[self._guard], client_max_size=2**22)
        routes = {
            ("GET", ""): self._page, ("GET", "item"): self._item, ("GET", "image"): self._image,
            ("GET", "form"): self._form, ("GET", "threshold"): self._threshold,
            ("POST", "decide"): self._decide, ("POST", "undo"): self._undo,
            ("POST", "config"): self._config,
        }  # fmt: skip
        for (method, name), handler in routes.items():
            app.router.add_route(method, f"/{self.token}/{name}", handler)
        for name in _STATIC:
            app.router.add_get(f"/{self.token}/{name}", self._static)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What everything must pass; what does not learns nothing."""
        token = request.path.lstrip("/").partition("/")[0]
        known = secrets.compare_digest(token.encode(errors="replace"), self.token.encode())
        if not known or request.headers.get("Host") != self.host:
            return web.Response(status=403, text="forbidden\n", headers=_HEADERS)
        if request.method == "POST" and (
            request.headers.get("Origin") != f"http://{self.host}"
            or request.content_type != "application/json"
        ):
            return web.Response(status=403, text="forbidden\n", headers=_HEADERS)
        try:
            self.board.refresh()  # others may have added to the reviews
            response = await handler(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=f"{error.reason}\n")
        except ToolkitError as error:
            response = web.json_response({"error": str(error)}, status=409)
        response.headers.update(_HEADERS)
        return response

    async def _page(self, request: web.Request) -> web.Response:
        page = render(
            "review.html",
            run=self.setup.folder.resolve().name,
            files=self.board.files.values(),
            reviewer=self.setup.reviewer,
            reviewers=self.board.reviewers(),
            highest=THRESHOLDS[-1],
            threshold=self._configured(),
            config=self.setup.config,
        )
        return web.Response(text=page, content_type="text/html")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.path.rpartition("/")[2]
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=_STATIC[name])

    async def _item(self, request: web.Request) -> web.Response:
        asked = await _asked(request, Request)
        file = self._file(asked.file)
        number = None if asked.n is None else _number(file, asked.n)
        return web.json_response(self._shown(file, asked.reviewer, number))

    def _shown(self, file: ReviewFile, reviewer: str, number: int | None) -> dict[str, Any]:
        """An item as the page gets it; without a number the first that is not judged."""
        board = self.board
        open_one = board.next_open(file.name, reviewer)
        if number is None:
            number = len(file) - 1 if open_one is None else open_one
        found, said = file.read(number), board.said(file.name, number)
        mine = said.get(reviewer)
        content = self._content(file, found, mine)
        # Who has not decided must not be led by what others did.
        others = [one for name, one in said.items() if name != reviewer] if mine else []
        image = image_of(found.row)
        local = image if image and "://" not in image else None
        html = render(
            "review_item.html",
            kind=file.kind,
            id=found.item.id,
            number=number + 1,
            total=len(file),
            mine=mine,
            others=others,
            caption=found.row.get("caption"),
            **file.kind.view(content),
        )
        stats = board.stats(file.name, reviewer)
        return {
            "file": file.name, "n": number + 1, "total": len(file), "id": found.item.id,
            "sha256": file.sha256(number), "html": html, "done": open_one is None,
            "decision": mine.decision if mine else None,
            "editable": file.kind.editable, "reasons": file.kind.reasons,
            "image": local and digest(local), "alt": alternative(found.row),
            "stats": render("review_stats.html", stats=stats, total=len(file)),
            "judged": stats.judged,
        }  # fmt: skip

    def _content(self, file: ReviewFile, found: Found, mine: Review | None) -> Any:
        """The item as this reviewer left it. Raises ToolkitError("input") for a bad edit."""
        if mine is None or mine.edited is None:
            return found.item.content
        try:
            check(file.kind, mine.edited)
        except ValidationError:
            message = f"{self.setup.folder / REVIEWS}: {found.item.id}: `edited` is no such item"
            raise ToolkitError("input", message, "correct that line of the file") from None
        return mine.edited

    async def _image(self, request: web.Request) -> web.Response:
        asked = await _asked(request, ImageRequest)
        file = self._file(asked.file)
        image = image_of(file.read(_number(file, asked.n)).row)
        if not image or "://" in image:
            raise web.HTTPNotFound
        try:
            data = await asyncio.to_thread(self._jpeg, image, self.setup.images)
        except Exception:  # of any type: Pillow's decoders trip over what a file says
            raise web.HTTPNotFound from None
        return web.Response(body=data, content_type="image/jpeg")

    async def _form(self, request: web.Request) -> web.Response:
        asked = await _asked(request, Request)
        file, reviewer = self._file(asked.file), asked.reviewer
        number = _number(file, asked.n or 0)
        mine = self.board.said(file.name, number).get(reviewer)
        content = self._content(file, file.read(number), mine)
        inputs = groupby(fields(file.kind, content), key=attrgetter("group"))
        page = render(
            "review_form.html",
            number=number + 1,
            context=file.kind.view(content).get("positive"),
            groups=[(name, list(some)) for name, some in inputs],
        )
        return web.json_response({"html": page})

    async def _decide(self, request: web.Request) -> web.Response:
        asked = await _asked(request, DecideRequest)
        file, reviewer = self._file(asked.file), asked.reviewer
        number = _number(file, asked.n)
        if asked.sha256 != file.sha256(number):
            raise ToolkitError("input", "the file has changed", "load the page again")
        mine = self.board.said(file.name, number).get(reviewer)
        # What is accepted is what the page shows: an earlier edit stays.
        content = mine.edited if mine and asked.decision == "accept" else None
        if asked.values is not None and asked.decision == "accept" and file.kind.editable:
            try:
                base = self._content(file, file.read(number), mine)
                content = edited(file.kind, base, asked.values)
            except FormError as error:
                return web.json_response({"errors": error.errors})
        self.board.decide(file.name, number, reviewer, asked.decision, asked.reason, edited=content)
        done = "Edited" if asked.values else f"{asked.decision.capitalize()}ed"
        following = self.board.next_open(file.name, reviewer, number + 1)
        shown = self._shown(file, reviewer, number if following is None else following)
        return web.json_response({"said": f"{done} item {number + 1}.", **shown})

    async def _undo(self, request: web.Request) -> web.Response:
        asked = await _asked(request, Request)
        file, reviewer = self._file(asked.file), asked.reviewer
        number = self.board.undo(file.name, reviewer)
        if number is None:
            return web.json_response({"said": "There is nothing to undo."})
        said = f"Took back the decision on item {number + 1}."
        return web.json_response({"said": said, **self._shown(file, reviewer, number)})

    async def _threshold(self, request: web.Request) -> web.Response:
        at = (await _asked(request, ThresholdRequest)).at
        curve = self.board.curve(self._file("verdicts.jsonl").name)
        point = curve[round(at * 1000)]
        page = render(
            "review_threshold.html", curve=curve, point=point, config=self.setup.config,
            configured=self._configured(),
        )  # fmt: skip
        return web.json_response({"html": page})

    async def _config(self, request: web.Request) -> web.Response:
        at = round((await _asked(request, ThresholdRequest)).at, 3)
        path = self.setup.config
        if path is None:
            raise ToolkitError("config", "no config was given", "start with --config FILE")
        was = self._configured()
        set_value(path, "discriminator", "max_entropy", at)
        said = f"{path}: discriminator.max_entropy was {was:g} and is now {at:g}."
        return web.json_response({"said": said})

    def _configured(self) -> float:
        path = self.setup.config
        section = read_yaml(path, Config).discriminator if path else DiscriminatorConfig()
        return section.max_entropy

    def _file(self, name: str) -> ReviewFile:
        if name not in self.board.files:
            raise web.HTTPNotFound
        return self.board.files[name]


async def _asked(request: web.Request, model: type[Asked]) -> Asked:
    """What a request says, once it is valid."""
    try:
        if request.method == "POST":
            return model.model_validate_json(await request.read())
        return model.model_validate(dict(request.query))
    except ValueError:
        raise web.HTTPBadRequest from None


def _number(file: ReviewFile, number: int) -> int:
    """The page counts from 1."""
    if not 1 <= number <= len(file):
        raise web.HTTPNotFound
    return number - 1


def _jpeg(image: str, folder: Path) -> bytes:
    """An image upright and at most 1600 pixels wide and high. Raises ToolkitError("image")."""
    with readable_image(open_image(image, folder).path) as found:
        found.draft("RGB", (_PIXELS, _PIXELS))
        upright = ImageOps.exif_transpose(found).convert("RGB")
        upright.thumbnail((_PIXELS, _PIXELS))
        file = io.BytesIO()
        upright.save(file, "JPEG", quality=88)
    return file.getvalue()
