"""Admitad's tokens, scopes, limits, lists and addresses."""

from __future__ import annotations

import time

import pytest
import requests

from tests.sandbox_networks.caller import Caller, Start

RECOMMENDED = "websites advcampaigns_for_website coupons_for_website statistics"


def test_a_token_answer_has_the_documented_fields(sandbox: Caller) -> None:
    token = sandbox.ask_token(RECOMMENDED).json()
    assert token["token_type"] == "bearer"
    assert token["expires_in"] == 604_800
    assert token["scope"] == RECOMMENDED
    assert token["group"] == "webmaster"
    assert {"username", "first_name", "last_name", "language", "refresh_token"} <= token.keys()


def test_expires_in_can_be_a_string(start: Start) -> None:
    sandbox = start(admitad={"expires_in_as_text": True, "token_seconds": 60})
    assert sandbox.ask_token().json()["expires_in"] == "60"


@pytest.mark.parametrize(("client", "secret"), [("nobody", "x"), ("sandbox-admitad-id", "wrong")])
def test_a_wrong_client_is_refused(sandbox: Caller, client: str, secret: str) -> None:
    answer = sandbox.ask_token(client=client, secret=secret)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


def test_client_credentials_need_the_basic_header(sandbox: Caller) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "sandbox-admitad-id",
        "client_secret": "sandbox-admitad-secret",
    }
    assert requests.post(f"{sandbox.base}/token/", data=form, timeout=10).status_code == 401


def test_another_grant_is_refused(sandbox: Caller) -> None:
    answer = requests.post(f"{sandbox.base}/token/", data={"grant_type": "password"}, timeout=10)
    assert answer.status_code == 400


def test_a_planted_secret_is_the_one_that_counts(start: Start) -> None:
    apps = [{"client_id": "mine", "secret": "canary-1"}]
    sandbox = start(admitad={"apps": apps})
    assert sandbox.ask_token(client="mine", secret="canary-1").status_code == 200
    assert sandbox.ask_token().status_code == 401


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/websites/v2/", "websites"),
        ("/websites/v2/2200101/", "websites"),
        ("/advcampaigns/", "advcampaigns"),
        ("/advcampaigns/1001/", "advcampaigns"),
        ("/advcampaigns/website/2200101/", "advcampaigns_for_website"),
        ("/coupons/", "coupons"),
        ("/coupons/website/2200101/", "coupons_for_website"),
        ("/statistics/actions/", "statistics"),
    ],
)
def test_each_endpoint_demands_its_own_scope(start: Start, path: str, scope: str) -> None:
    sandbox = start().log_in(scope=scope)
    assert sandbox.get(path).status_code == 200
    others = " ".join({"websites", "advcampaigns", "coupons", "statistics", "public_data"} - {scope})
    refused = sandbox.log_in(scope=others).get(path)
    assert refused.status_code == 403
    assert refused.json()["error"] == "insufficient_scope"
    assert refused.json()["error_code"] == 2


def test_a_token_expires_by_the_sandbox_clock(sandbox: Caller) -> None:
    sandbox.advance(seconds=604_799)
    assert sandbox.get("/websites/v2/").status_code == 200
    sandbox.advance(seconds=1)
    answer = sandbox.get("/websites/v2/")
    assert answer.status_code == 401
    assert answer.json()["error_code"] == 0
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic eDp5", ""])
def test_an_unknown_token_is_refused(sandbox: Caller, header: str) -> None:
    answer = requests.get(f"{sandbox.base}/websites/v2/", headers={"Authorization": header}, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": "The access token is invalid",
        "error_code": 1,
    }


def test_a_refresh_gives_a_new_pair_and_ends_the_old_one(sandbox: Caller) -> None:
    old = sandbox.ask_token(RECOMMENDED).json()
    form = {
        "grant_type": "refresh_token",
        "client_id": "sandbox-admitad-id",
        "client_secret": "sandbox-admitad-secret",
        "refresh_token": old["refresh_token"],
    }
    new = requests.post(f"{sandbox.base}/token/", data=form, timeout=10).json()
    assert new["refresh_token"] != old["refresh_token"]
    assert set(new["scope"].split()) == set(RECOMMENDED.split())
    again = requests.post(f"{sandbox.base}/token/", data=form, timeout=10)
    assert (again.status_code, again.json()["error_code"]) == (400, 5)
    for token, status in ((new, 200), (old, 401)):
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        assert requests.get(f"{sandbox.base}/websites/v2/", headers=headers, timeout=10).status_code == status
    wrong = requests.post(f"{sandbox.base}/token/", data=form | {"client_secret": "x"}, timeout=10)
    assert wrong.status_code == 401


def test_too_many_live_tokens_are_refused_until_some_expire(start: Start) -> None:
    sandbox = start(admitad={"live_tokens": 2})
    assert [sandbox.ask_token().status_code for _ in range(3)] == [200, 200, 400]
    assert sandbox.ask_token().json()["error_code"] == 6
    assert sandbox.admin("/state", method="GET")["networks"]["admitad"]["tokens"] == {"live": 2, "issued": 2}
    sandbox.advance(days=7)
    assert sandbox.ask_token().status_code == 200


def violations(sandbox: Caller) -> int:
    state = sandbox.admin("/state", method="GET")
    return int(state["networks"]["admitad"]["violations"]["calls_per_minute"])


def test_the_call_over_the_limit_is_refused_and_counted(start: Start) -> None:
    sandbox = start(admitad={"calls": 20, "per_seconds": 3600}).log_in()
    answers = [sandbox.get("/websites/v2/") for _ in range(22)]
    # The token counts as one call of the same application.
    assert [answer.status_code for answer in answers] == [200] * 19 + [503] * 3
    assert answers[-1].json()["error_code"] == 4
    assert violations(sandbox) == 3
    sandbox.admin("/reset")
    assert violations(sandbox) == 0
    assert sandbox.get("/websites/v2/").status_code == 200


def test_the_default_limit_is_600_per_minute_and_application(start: Start) -> None:
    apps = [{"client_id": name, "secret": "s"} for name in ("a", "b")]
    sandbox = start(admitad={"apps": apps, "per_seconds": 3600}).log_in(client="a", secret="s")
    codes = [sandbox.get("/websites/v2/").status_code for _ in range(601)]
    assert codes == [200] * 599 + [503] * 2
    assert sandbox.log_in(client="b", secret="s").get("/websites/v2/").status_code == 200
    assert violations(sandbox) == 2


def test_the_window_slides_by_its_exact_length(start: Start) -> None:
    sandbox = start(admitad={"calls": 1, "per_seconds": 0.3})
    began = time.monotonic()
    codes = [sandbox.ask_token().status_code]
    while codes.count(200) < 2:
        codes.append(sandbox.ask_token().status_code)
    assert time.monotonic() - began >= 0.3
    assert violations(sandbox) == codes.count(503)


def test_limits_can_be_counted_without_refusing(start: Start) -> None:
    sandbox = start(enforce_limits=False, admitad={"calls": 2, "per_seconds": 3600}).log_in()
    assert [sandbox.get("/websites/v2/").status_code for _ in range(4)] == [200] * 4
    assert violations(sandbox) == 3


def test_the_state_counts_requests_per_path(sandbox: Caller) -> None:
    sandbox.get("/websites/v2/")
    sandbox.get("/websites/v2/")
    sandbox.get("/nowhere")
    requests_seen = sandbox.admin("/state", method="GET")["networks"]["admitad"]["requests"]
    assert requests_seen == {"/token/": 1, "/websites/v2/": 2, "/nowhere": 1}


def test_a_path_without_its_last_slash_redirects(sandbox: Caller) -> None:
    answer = sandbox.get("/statistics/actions", date_start="01.03.2026", limit=3)
    assert [step.is_redirect for step in answer.history] == [True]
    assert len(answer.json()["results"]) == 3


@pytest.mark.parametrize(
    "path",
    ["/advcampaigns/1001/attach/2200101/", "/advcampaigns/1001/detach/2200101/", "/website/create/"],
)
def test_removed_endpoints_say_so(sandbox: Caller, path: str) -> None:
    assert sandbox.get(path).status_code == 410


@pytest.mark.parametrize(
    "path", ["/nowhere/", "/coupons/1/", "/advcampaigns/website/99/", "/websites/v2/99/"]
)
def test_what_does_not_exist_is_404(sandbox: Caller, path: str) -> None:
    assert sandbox.get(path).status_code == 404


def test_names_are_russian_unless_asked_otherwise(sandbox: Caller) -> None:
    for path in ("/advcampaigns/", "/coupons/website/2200101/"):
        russian = sandbox.get(path).json()["results"][0]
        english = sandbox.get(path, language="en").json()["results"][0]
        assert russian["id"] == english["id"]
        assert not russian["name"].isascii()
        assert english["name"].isascii()


def test_websites_come_as_envelope_or_as_list(start: Start) -> None:
    assert [row["id"] for row in start().log_in().get("/websites/v2/").json()["results"]] == [
        2200101,
        2200102,
    ]
    bare = start(admitad={"websites_as_list": True}).log_in().get("/websites/v2/").json()
    assert [row["id"] for row in bare] == [2200101, 2200102]


def test_an_ad_space_sees_its_standing_links_and_codes(sandbox: Caller) -> None:
    whole = sandbox.get("/advcampaigns/", limit=500).json()["results"]
    own = sandbox.get("/advcampaigns/website/2200101/", limit=500).json()["results"]
    assert "gotolink" not in whole[0]
    assert {row["connection_status"] for row in own} >= {"active", "pending"}
    active = sandbox.get("/advcampaigns/website/2200101/", limit=500, connection_status="active").json()
    assert active["results"] == [row for row in own if row["connection_status"] == "active"]
    assert sandbox.get(f"/advcampaigns/{own[0]['id']}/website/2200101/").json() == own[0]
    coupons = sandbox.get("/coupons/website/2200101/", limit=500).json()["results"]
    assert {row["campaign"]["id"] for row in coupons} <= {row["id"] for row in active["results"]}
    assert all((row["promocode"] is None) == (row["species"] == "action") for row in coupons)
    assert {row["frameset_link"] for row in coupons} >= {""}
    assert any(row["date_end"] is None for row in coupons)
    assert "promocode" not in sandbox.get("/coupons/").json()["results"][0]


def test_coupons_are_filtered_and_ordered_as_asked(sandbox: Caller) -> None:
    everything = sandbox.get("/coupons/", limit=500, language="en").json()["results"]
    ordered = sandbox.get("/coupons/", limit=500, language="en", order_by="-rating").json()["results"]
    assert [row["rating"] for row in ordered] == sorted((row["rating"] for row in everything), reverse=True)
    campaigns = [everything[0]["campaign"]["id"], everything[1]["campaign"]["id"]]
    some = sandbox.get("/coupons/", limit=500, language="en", campaign=campaigns).json()["results"]
    assert some == [row for row in everything if row["campaign"]["id"] in campaigns]
    ended = sandbox.get("/coupons/", limit=500, language="en", date_end="20.03.2026").json()["results"]
    assert ended == [row for row in everything if (row["date_end"] or "9999") < "2026-03-21"]
    found = sandbox.get("/coupons/", limit=500, language="en", search="discount 7%").json()["results"]
    assert found == [row for row in everything if "discount 7%" in row["name"].lower()] != []


def test_a_long_catalogue_needs_several_pages(start: Start) -> None:
    sandbox = start(admitad={"coupons": 1200, "campaigns": 10}).log_in()
    pages = [
        sandbox.get("/coupons/", limit=500, offset=offset).json()["results"] for offset in (0, 500, 1000)
    ]
    assert [len(page) for page in pages] == [500, 500, 200]
    assert len({row["id"] for page in pages for row in page}) == 1200
