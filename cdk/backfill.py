"""The backfill: log objects under a prefix, ingested by a task on Fargate. Only with ``-c backfill=true``."""

import json
from typing import Annotated, Literal

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3
from constructs import Construct
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from cdk import outputs
from cdk.checks import acknowledge
from cdk.database import AuroraDatabase
from cdk.environment import STRICT, Environment
from cdk.logs import log_group
from cdk.network import connect
from cdk.processor import grant_ingest, image, reading_variables
from migrate.roles import WRITER

CONTAINER = "backfill"
_HTTPS = 443
_ENDPOINTS = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
}
"""The endpoints that a task on Fargate needs to start and to log without a way to the internet."""

_MEMORY_GB = {1024: (2, 8, 1), 2048: (4, 16, 1), 4096: (8, 30, 1), 8192: (16, 60, 4), 16384: (32, 120, 8)}
"""Lowest, highest and step, by CPU units (Amazon ECS developer guide, "Fargate task definition differences")."""


@dataclass(frozen=True, config=STRICT)
class BackfillParameters:
    """A task on Fargate that ingests what is under a prefix; see `cdk.backfill`.

    Attributes
    ----------
    enabled
        Whether it can be started: its endpoints cost money by the hour, whether a task runs or not.
    cpu_units, memory_mib
        1024 units are one virtual CPU; Fargate has a list of the pairs that go together.
    processes
        Of the Bytewax cluster that reads a large object; they share the task's virtual CPUs.
    """

    enabled: bool = False
    cpu_units: Literal[1024, 2048, 4096, 8192, 16384] = 4096
    memory_mib: Annotated[int, Field(ge=2048, le=122_880, multiple_of=1024)] = 8192
    processes: Annotated[int, Field(ge=1, le=16)] = 2

    @model_validator(mode="after")
    def _fargate_has_the_pair(self) -> "BackfillParameters":
        lowest, highest, step = _MEMORY_GB[self.cpu_units]
        if self.memory_mib not in range(lowest * 1024, highest * 1024 + 1, step * 1024):
            raise ValueError(
                f"with {self.cpu_units} units, Fargate has {lowest} to {highest} GB of memory in steps of {step} GB"
                f" (memory_mib: {lowest * 1024} to {highest * 1024})"
            )
        return self


class Backfill(Construct):
    """A task definition of the processor's image, and what a task needs in the isolated network.

    Nothing runs by itself: the output `BackfillCommand` starts a task. The endpoints cost money by the hour, in one
    zone only (docs/cost.md), so they go when the stack is deployed without it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: AuroraDatabase,
        buckets: tuple[s3.IBucket, s3.Bucket],
        parameters: BackfillParameters,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        network = database.network
        subnet = network.vpc.isolated_subnets[0]
        tasks = network.group(self, "Tasks", "Backfill tasks")
        self._add_endpoints(
            network.vpc, subnet, tasks, network.group(self, "Endpoints", "Endpoints of backfill tasks")
        )
        cluster = ecs.Cluster(self, "Cluster", vpc=network.vpc)
        acknowledge(
            cluster,
            "ECS4",
            "A task says in its log what each object took; Container Insights would leave a log group of its own behind",
        )
        task = self._task(parameters, environment)
        self._add_container(task, database, buckets, parameters, environment)
        database.grant_connect(task.task_role, WRITER)
        grant_ingest(task.task_role, *buckets)
        groups = [network.clients.security_group_id, tasks.security_group_id]
        CfnOutput(
            Stack.of(self),
            outputs.BACKFILL_COMMAND,
            description="Put the prefix you want into the s3:// address",
            value=_command(cluster, task, subnet, groups, buckets[0]),
        )

    def _add_endpoints(
        self, vpc: ec2.Vpc, subnet: ec2.ISubnet, tasks: ec2.SecurityGroup, group: ec2.SecurityGroup
    ) -> None:
        """Let the tasks, and nobody else, reach ECR and CloudWatch Logs; S3 has its gateway already."""
        connect(self, tasks, group, _HTTPS)
        for name, service in _ENDPOINTS.items():
            ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=vpc,
                service=service,
                subnets=ec2.SubnetSelection(subnets=[subnet]),
                security_groups=[group],
                open=False,
            )

    def _task(self, parameters: BackfillParameters, environment: Environment) -> ecs.FargateTaskDefinition:
        arm = environment.architecture == "arm64"
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=parameters.cpu_units,
            memory_limit_mib=parameters.memory_mib,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        acknowledge(task, "ECS2", "None of its variables is a secret: the database takes IAM tokens")
        execution = task.obtain_execution_role()
        acknowledge(execution, "IAM5[Resource::*]", "A token of ECR is for all of its repositories")
        return task

    def _add_container(
        self,
        task: ecs.FargateTaskDefinition,
        database: AuroraDatabase,
        buckets: tuple[s3.IBucket, s3.Bucket],
        parameters: BackfillParameters,
        environment: Environment,
    ) -> None:
        source, rejects = buckets
        group = log_group(self, "TaskLogs", environment.log_retention)
        processes = str(parameters.processes)
        task.add_container(
            CONTAINER,
            container_name=CONTAINER,
            image=ecs.ContainerImage.from_docker_image_asset(image(self, environment)),
            entry_point=["python3", "-m", "processor.backfill", "--processes", processes],
            command=[f"s3://{source.bucket_name}/"],
            environment={
                **database.environment(WRITER),
                "REJECTS_BUCKET": rejects.bucket_name,
                "AWS_DEFAULT_REGION": Aws.REGION,
                **reading_variables(environment),
            },
            logging=ecs.LogDriver.aws_logs(stream_prefix=CONTAINER, log_group=group),
            readonly_root_filesystem=True,
            linux_parameters=ecs.LinuxParameters(self, "Linux", init_process_enabled=True),
        )


def _command(
    cluster: ecs.Cluster,
    task: ecs.FargateTaskDefinition,
    subnet: ec2.ISubnet,
    groups: list[str],
    source: s3.IBucket,
) -> str:
    """Return the command that starts a task on the whole bucket."""
    overrides = {"containerOverrides": [{"name": CONTAINER, "command": [f"s3://{source.bucket_name}/"]}]}
    network = f"subnets=[{subnet.subnet_id}],securityGroups=[{','.join(groups)}],assignPublicIp=DISABLED"
    return (
        f"aws ecs run-task --region {Aws.REGION} --cluster {cluster.cluster_name}"
        f" --task-definition {task.family} --launch-type FARGATE"
        f" --network-configuration 'awsvpcConfiguration={{{network}}}'"
        f" --overrides '{json.dumps(overrides)}'"
    )
