data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  namespace = "Items/${var.environment}"
  directory = coalesce(var.cloudwatch_directory, "${path.module}/../../../cloudwatch")

  queries = {
    for file in fileset(local.directory, "queries/*.query") :
    trimsuffix(basename(file), ".query") => split("\n", trimspace(file("${local.directory}/${file}")))
  }
  filters = { for filter in jsondecode(file("${local.directory}/filters.json")) : filter.name => filter }
}

resource "aws_cloudwatch_log_group" "service" {
  #checkov:skip=CKV_AWS_338:each environment chooses its retention; a year of logs is not needed
  name              = coalesce(var.log_group, "/items/${var.environment}/service")
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# Of containers beside the service.
resource "aws_cloudwatch_log_group" "further" {
  #checkov:skip=CKV_AWS_338:each environment chooses its retention; a year of logs is not needed
  for_each = var.further_log_groups

  name              = each.key
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# The first line of a query's file is its title. A name cannot contain a colon, and a slash would make a folder.
resource "aws_cloudwatch_query_definition" "service" {
  for_each = local.queries

  name            = "${var.name}/${replace(trimspace(trimprefix(each.value[0], "#")), "/[:*\\/]/", ",")}"
  log_group_names = [aws_cloudwatch_log_group.service.name]
  query_string    = join("\n", slice(each.value, 1, length(each.value)))

  lifecycle {
    precondition {
      condition     = startswith(each.value[0], "# ")
      error_message = "${each.key}.query must begin with a line '# Title'."
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "service" {
  for_each = local.filters

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.service.name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.namespace
    name      = each.value.metric
    value     = each.value.value
    unit      = each.value.unit
    # Without a default an idle service would have no data, and its alarms no state.
    default_value = each.value.default
  }
}

resource "aws_ssm_parameter" "agent" {
  count = var.platform == "ec2" ? 1 : 0

  #checkov:skip=CKV_AWS_337:the agent's configuration is not a secret
  #checkov:skip=CKV2_AWS_34:the agent's configuration is not a secret
  name        = "/items/${var.environment}/cloudwatch-agent"
  description = "Configuration of the CloudWatch agent"
  type        = "String"
  # Parsed and encoded again: without white space it fits into the 4 KB of a standard parameter.
  insecure_value = jsonencode(jsondecode(templatefile("${local.directory}/agent.json", {
    environment = var.environment
    log_group   = aws_cloudwatch_log_group.service.name
  })))
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = var.name
  dashboard_body = jsonencode(jsondecode(var.platform == "ec2" ? templatefile("${local.directory}/dashboard.json", merge(local.shown, {
    autoscaling_group = var.group_name
    })) : templatefile("${local.directory}/dashboard-ecs.json", merge(local.shown, {
    cluster = var.cluster_name
    service = var.service_name
  }))))
}

locals {
  shown = {
    region        = data.aws_region.current.name
    environment   = var.environment
    namespace     = local.namespace
    log_group     = aws_cloudwatch_log_group.service.name
    load_balancer = var.balancer_arn_suffix
    target_group  = var.target_group_arn_suffix
    database      = var.database_id
  }
}
