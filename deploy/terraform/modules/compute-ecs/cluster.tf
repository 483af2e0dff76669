data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = data.aws_region.current.name
  prefix = "arn:${data.aws_partition.current.partition}:%s:${local.region}:${data.aws_caller_identity.current.account_id}"
  # The service's name and the container's. Its ARN is written down, because alarms exist before it.
  service_name = "items"
}

resource "aws_ecs_cluster" "main" {
  #checkov:skip=CKV_AWS_65:enabled by default; the metrics are charged, so an environment may switch them off
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

# What is in no strategy may still be used by one later, without another apply of the cluster.
resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}
