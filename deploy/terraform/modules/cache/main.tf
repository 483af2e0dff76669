locals {
  id = "${var.name}-cache"
  # ElastiCache numbers the nodes of a group.
  nodes = [for index in range(var.nodes) : format("%s-%03d", local.id, index + 1)]
  usage = {
    cpu    = { metric = "EngineCPUUtilization", threshold = var.alarms.cpu }
    memory = { metric = "DatabaseMemoryUsagePercentage", threshold = var.alarms.memory }
  }
  watched = {
    for pair in setproduct(local.nodes, keys(local.usage)) :
    "${pair[0]}-${pair[1]}" => merge(local.usage[pair[1]], { node = pair[0], of = pair[1] })
  }
}

resource "aws_elasticache_subnet_group" "main" {
  name       = local.id
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "main" {
  name   = "${local.id}-redis7"
  family = "redis7"

  # A cache that is full forgets what was used longest ago, instead of refusing to store.
  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "slow" {
  #checkov:skip=CKV_AWS_338:slow commands are looked at within weeks
  name              = "/items/${var.environment}/cache"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# No password: it would be in the state, since the provider can only write it there. The user is restricted to what a cache
# needs and to the keys of this service; the security group admits this service alone, and TLS names the server.
resource "aws_elasticache_user" "service" {
  user_id       = "${local.id}-service"
  user_name     = "items"
  engine        = "redis"
  access_string = "on ~items:* -@all +get +set +unlink +ping +hello"

  authentication_mode {
    type = "no-password-required"
  }
}

# Every group has a user "default"; this one may do nothing.
resource "aws_elasticache_user" "default" {
  user_id       = "${local.id}-default"
  user_name     = "default"
  engine        = "redis"
  access_string = "off ~* -@all"

  authentication_mode {
    type = "no-password-required"
  }
}

resource "aws_elasticache_user_group" "main" {
  user_group_id = local.id
  engine        = "redis"
  user_ids      = [aws_elasticache_user.service.user_id, aws_elasticache_user.default.user_id]
}

resource "aws_elasticache_replication_group" "main" {
  #checkov:skip=CKV_AWS_31:a password would be in the state; the users' access strings and the security group bound the access
  #checkov:skip=CKV2_AWS_50:one node has nothing to fail over to; two nodes do
  replication_group_id = local.id
  description          = "The cache of ${var.name}"
  engine               = "redis"
  engine_version       = var.engine_version
  node_type            = var.node_type
  num_cache_clusters   = var.nodes
  port                 = var.port
  parameter_group_name = aws_elasticache_parameter_group.main.name
  subnet_group_name    = aws_elasticache_subnet_group.main.name
  security_group_ids   = [var.security_group_id]
  user_group_ids       = [aws_elasticache_user_group.main.user_group_id]

  automatic_failover_enabled = var.nodes > 1
  multi_az_enabled           = var.nodes > 1

  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"

  snapshot_retention_limit   = var.snapshot_days
  snapshot_window            = var.windows.snapshot
  maintenance_window         = var.windows.maintenance
  auto_minor_version_upgrade = true
  apply_immediately          = var.apply_immediately

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.slow.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each = local.watched

  alarm_name          = "${each.value.node}-${each.value.of}"
  alarm_description   = "The ${each.value.of} of ${each.value.node} has been above ${each.value.threshold} % for ten minutes"
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = each.value.node }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}
