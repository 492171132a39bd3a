"""Alerts and dashboards: they use existing series, and behave as promised."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from chart import CHART, ROOT, SIZES, Refused, install
from failures import FAILURES
from needs import need

from roomwire.health.dependencies import Cause
from roomwire.metrics.gateway import Metrics
from roomwire.metrics.http import HttpMetrics
from roomwire.metrics.memory import MemoryMetrics
from roomwire.metrics.nodejs import EmitterMetrics
from roomwire.metrics.process import ProcessMetrics
from roomwire_auth.metrics import Metrics as AuthMetrics

TESTS = ROOT / "deploy/helm/tests/alerts.yaml"
PROMTOOL = shutil.which("promtool")
_METRIC = re.compile(r"\broomwire_[a-z_]+\b")
READS = re.compile(
    r"kubectl -n NAMESPACE (?:(?:get|describe|logs|top) |exec \S+ -- sh -c 'redis-cli [^']* INFO memory')"
    r"|helm (?:get|history|list) "
)
"""The beginnings of commands that only read."""


@pytest.fixture(scope="module")
def release():
    return install(SIZES["everything"])


@pytest.fixture(scope="module")
def rules(release):
    return release.one("PrometheusRule", "chat-roomwire")["spec"]


def families():
    """Return the names of the series of each metric of both services, by the metric's name."""
    gateway, auth = Metrics(), AuthMetrics()
    HttpMetrics(gateway.registry)
    for port in ("api", "relay", "ops"):
        HttpMetrics(gateway.registry, name=f"roomwire_{port}_http_refused_total")
    ProcessMetrics(gateway.registry)
    EmitterMetrics(gateway.registry)
    MemoryMetrics(gateway.registry).watch_held(dict)
    gateway.watch_connections(dict)
    gateway.watch_load(rooms=int, tasks=int)
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    return {
        family.name: {family.name + suffix for suffix in suffixes.get(family.type, [""])}
        for registry in (gateway.registry, auth.registry)
        for family in registry.collect()
    }


def exported():
    """Return the names of all series of both services."""
    return {"up"}.union(*families().values())


def all_of(rules):
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_every_metric_of_an_alert_exists(rules):
    used = {
        name for group in rules["groups"] for rule in group["rules"] for name in _METRIC.findall(rule["expr"])
    }

    assert used
    assert set() == used - exported()


@pytest.mark.parametrize("path", sorted((CHART / "dashboards").glob("*.json")), ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_exists(path, release):
    dashboard = json.loads(path.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [variable["query"] for variable in dashboard["templating"]["list"]]
    used = {name for expression in asked for name in _METRIC.findall(expression)}

    assert used
    assert set() == used - exported()
    assert dashboard == json.loads(release.one("ConfigMap", "chat-roomwire-dashboards")["data"][path.name])


def test_every_metric_of_roomwire_has_a_panel():
    drawn = {
        name for path in (CHART / "dashboards").glob("*.json") for name in _METRIC.findall(path.read_text())
    }

    assert [] == [
        name for name, series in families().items() if name.startswith("roomwire_") and not series & drawn
    ]


def test_the_metric_that_scales_gateways_exists(release):
    scaler = release.one("HorizontalPodAutoscaler", "chat-roomwire-gateway")

    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] in exported()


def test_every_alert_says_what_to_do(rules):
    runbook = (ROOT / "docs/runbook.md").read_text()
    alerts = all_of(rules)

    # The fragment of an alert's link is the anchor of its heading in the runbook.
    assert {f"https://wiki.example.org/roomwire/runbook#{alert['alert'].lower()}" for alert in alerts} == {
        alert["annotations"]["runbook_url"] for alert in alerts
    }
    assert {alert["alert"] for alert in alerts} == {*re.findall(r"^## (Roomwire\w+)$", runbook, re.MULTILINE)}


def sections(runbook):
    """Return the text of each alert's section of the runbook."""
    parts = re.split(r"^## (.+)$", runbook, flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if "Roomwire" in name}


def test_every_section_of_the_runbook_says_what_users_see_how_to_confirm_it_and_what_to_do(rules):
    for alert in all_of(rules):
        text = sections((ROOT / "docs/runbook.md").read_text())[alert["alert"]]

        assert [f"Severity: {alert['labels']['severity']}"] == re.findall(
            r"^Severity: \w+", text, re.MULTILINE
        )
        assert ["Users see", "Confirm", "Do"] == re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
        assert re.search(r"^```sh\n(.+?)^```", text, re.MULTILINE | re.DOTALL), alert["alert"]


def test_the_runbooks_tables_have_each_cause_and_each_dependency():
    runbook = (ROOT / "docs/runbook.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "services").glob("*/src/**/*.py"))
    first_cells = " ".join(re.findall(r"^\| (`[^|]+`) \|", runbook, re.MULTILINE))
    names = {*re.findall(r'ependencies\.add\(\s*"(\w+)"', sources), *map(str, Cause)}

    assert {"redis_memory", "nearly_full"} < names
    assert set() == names - {*re.findall(r"`(\w+)`", first_cells)}


def changing(block):
    """Return the commands of a block that may change the cluster: all but those that are known to read."""
    commands = re.findall(r"\b(?:kubectl -n NAMESPACE|helm) [^\n|]+", block.replace("\\\n", " "))
    return [command for command in commands if not READS.match(command)]


def test_commands_under_confirm_change_nothing(rules):
    for alert in all_of(rules):
        text = sections((ROOT / "docs/runbook.md").read_text())[alert["alert"]]
        confirm = text[text.index("**Confirm**") : text.index("**Do**")]
        for block in re.findall(r"^```sh\n(.+?)^```", confirm, re.MULTILINE | re.DOTALL):
            assert [] == changing(block), alert["alert"]


@pytest.mark.parametrize(
    "command",
    [
        "kubectl -n NAMESPACE delete pod POD",
        "kubectl -n NAMESPACE rollout restart deployment/FULL-gateway",
        "kubectl -n NAMESPACE exec POD -- sh -c 'redis-cli FLUSHALL'",
        "helm upgrade RELEASE deploy/helm/roomwire -n NAMESPACE",
        "helm rollback RELEASE REVISION -n NAMESPACE",
    ],
)
def test_a_command_that_changes_something_is_found(command):
    assert [command] == changing(f"kubectl -n NAMESPACE get pods\n{command}\n")


def test_the_runbook_lists_the_alerts_by_their_severity(rules):
    index = dict(
        re.findall(
            r"^\| (critical|warning) \| (.+) \|$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE
        )
    )

    for severity in ("critical", "warning"):
        assert {one["alert"] for one in all_of(rules) if one["labels"]["severity"] == severity} == {
            *re.findall(r"\[(Roomwire\w+)\]", index[severity])
        }


def test_every_command_of_the_runbook_parses_and_names_its_namespace_and_its_release():
    blocks = re.findall(
        r"^ *```sh\n(.+?)^ *```", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert blocks
    for block in blocks:
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (0, "") == (read.returncode, read.stderr), block
        for command in re.findall(r"^ *((?:kubectl|helm) .+)$", block.replace("\\\n", " "), re.MULTILINE):
            assert re.search(r" -n NAMESPACE\b|^kubectl -n NAMESPACE ", command), command
            assert " -l " not in command or "app.kubernetes.io/instance=RELEASE" in command, command


def test_an_alert_carries_no_link_that_would_open_nothing():
    values = {"monitoring": {"prometheusRule": {"enabled": True}}}
    rules = install(values).one("PrometheusRule", "chat-roomwire")["spec"]

    assert all("runbook_url" not in alert["annotations"] for alert in all_of(rules))
    with pytest.raises(Refused, match="runbook"):
        install({"monitoring": {"prometheusRule": {"enabled": True, "runbook": "docs/runbook.md"}}})


def test_without_the_auth_service_no_alert_says_that_it_is_down():
    values = {"monitoring": {"prometheusRule": {"enabled": True}}, **SIZES["elsewhere"]}
    rules = install(values).one("PrometheusRule", "chat-roomwire")["spec"]

    assert not any("Auth" in alert["alert"] for alert in all_of(rules))


def test_an_alert_is_about_its_own_release(rules):
    other = install(SIZES["everything"], release="other").one("PrometheusRule", "other-roomwire")["spec"]

    of_this = re.compile(
        r'="den",(?:(pod|job_name)=~"chat-roomwire-(\((?:gateway\|auth|gateway|auth)\)|keys)-\.\+"|cronjob="chat-roomwire-keys")'
    )
    for rule in all_of(rules):
        series = re.findall(r"(?:roomwire|kube|process)_[a-z_]+\{[^}]*\}", rule["expr"])
        assert series
        assert all(of_this.search(one) for one in series)
    assert rules != other
    for rule in all_of(rules):
        assert {"namespace": "den", "release": "chat"}.items() <= rule["labels"].items()
        assert rule["annotations"]["summary"].startswith("den/chat: ")


def test_prometheus_finds_the_operations_ports(release):
    for component in ("gateway", "auth"):
        monitor = release.one("ServiceMonitor", f"chat-roomwire-{component}")["spec"]
        service = release.one("Service", f"chat-roomwire-{component}-ops")
        labels = service["metadata"]["labels"]

        assert monitor["selector"]["matchLabels"].items() <= labels.items()
        assert [monitor["endpoints"][0]["port"]] == [port["name"] for port in service["spec"]["ports"]]


def test_alerts_fire_when_they_should_and_not_before(rules, tmp_path):
    need(PROMTOOL, "promtool (Debian: apt-get install prometheus)")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load(TESTS.read_text())
    tests["rule_files"] = ["rules.yaml"]
    for test in tests["tests"]:
        for expected in test["alert_rule_test"]:
            for alert in expected.get("exp_alerts", ()):
                # An alert's text is for operators; the test covers when it fires, and with which labels.
                (rule,) = [rule for rule in all_of(rules) if rule["alert"] == expected["alertname"]]
                alert["exp_labels"] |= rule["labels"]
                summary = f"den/chat: {alert.pop('summary')}"
                alert["exp_annotations"] = rule["annotations"] | {"summary": summary}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    told = subprocess.run(
        [PROMTOOL, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert 0 == told.returncode, told.stdout + told.stderr


def test_every_alert_is_tested(rules):
    tested = {
        case["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }

    assert {rule["alert"] for rule in all_of(rules)} == tested | {one.alert for one in FAILURES}
