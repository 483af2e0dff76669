mock_provider "aws" {}

variables {
  name              = "items-prod"
  environment       = "prod"
  subnet_ids        = ["subnet-1", "subnet-2"]
  security_group_id = "sg-3"
  kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/1"
  topic_arn         = "arn:aws:sns:us-east-1:123456789012:items-prod-warning"
}

run "one_node" {
  command = plan

  assert {
    condition = (
      aws_elasticache_replication_group.main.engine == "redis" && aws_elasticache_replication_group.main.engine_version == "7.1" &&
      aws_elasticache_replication_group.main.node_type == "cache.t4g.micro" && aws_elasticache_replication_group.main.num_cache_clusters == 1 &&
      aws_elasticache_replication_group.main.port == 6379
    )
    error_message = "Redis 7.1 on one small node."
  }
  assert {
    condition     = !aws_elasticache_replication_group.main.automatic_failover_enabled && !aws_elasticache_replication_group.main.multi_az_enabled
    error_message = "One node has nothing to fail over to."
  }
  assert {
    condition = aws_elasticache_parameter_group.main.family == "redis7" && {
      for one in aws_elasticache_parameter_group.main.parameter : one.name => one.value
    } == { maxmemory-policy = "allkeys-lru" }
    error_message = "A full cache forgets what was used longest ago."
  }
  assert {
    condition = (
      aws_elasticache_replication_group.main.snapshot_retention_limit == 5 &&
      aws_elasticache_replication_group.main.snapshot_window == "03:00-05:00" &&
      aws_elasticache_replication_group.main.maintenance_window == "mon:05:30-mon:06:30"
    )
    error_message = "Snapshots of five days from 03:00, maintenance on Mondays after them."
  }
  assert {
    condition = (
      aws_elasticache_replication_group.main.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.main.kms_key_id == var.kms_key_arn &&
      aws_elasticache_replication_group.main.transit_encryption_enabled && aws_elasticache_replication_group.main.transit_encryption_mode == "required"
    )
    error_message = "Encrypted on disk and on the way."
  }
  assert {
    condition     = aws_elasticache_replication_group.main.auth_token == null
    error_message = "No password is given, so none can be in the state."
  }
  assert {
    condition = (
      aws_elasticache_user.service.access_string == "on ~items:* -@all +get +set +unlink +ping +hello" &&
      startswith(aws_elasticache_user.default.access_string, "off ")
    )
    error_message = "The service reads and writes its own keys; nobody else does anything."
  }
  assert {
    condition = toset([for one in aws_cloudwatch_metric_alarm.main : "${one.dimensions.CacheClusterId} ${one.metric_name} ${one.threshold}"]) == toset([
      "items-prod-cache-001 EngineCPUUtilization 80", "items-prod-cache-001 DatabaseMemoryUsagePercentage 90",
    ])
    error_message = "CPU above 80 %, memory above 90 %."
  }
}

run "two_nodes_fail_over" {
  command = plan

  variables {
    node_type = "cache.t4g.small"
    nodes     = 2
  }

  assert {
    condition     = aws_elasticache_replication_group.main.automatic_failover_enabled && aws_elasticache_replication_group.main.multi_az_enabled
    error_message = "The copy is in another zone and takes over."
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.main) == 4
    error_message = "Each node is watched."
  }
}

run "what_elasticache_does_not_have_is_refused" {
  command         = plan
  expect_failures = [var.name, var.engine_version, var.node_type, var.nodes, var.snapshot_days]

  variables {
    name           = "a-name-that-leaves-no-room-for-a-suffix"
    engine_version = "8.0"
    node_type      = "t4g.micro"
    nodes          = 0
    snapshot_days  = 40
  }
}
