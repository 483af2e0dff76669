mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/1" }
  }
}

variables {
  name        = "items-prod"
  environment = "prod"
  vpc_id      = "vpc-1"
}

run "groups_reach_each_other_in_one_direction" {
  command = apply

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.http.from_port == 80 && aws_vpc_security_group_ingress_rule.http.to_port == 80 &&
      aws_vpc_security_group_ingress_rule.https.from_port == 443 && aws_vpc_security_group_ingress_rule.https.to_port == 443
    )
    error_message = "The internet reaches the load balancer's 80 and 443."
  }
  assert {
    condition = (
      aws_vpc_security_group_egress_rule.balancer_to_service.referenced_security_group_id == aws_security_group.service.id &&
      aws_vpc_security_group_ingress_rule.service_from_balancer.referenced_security_group_id == aws_security_group.balancer.id &&
      aws_vpc_security_group_ingress_rule.service_from_balancer.from_port == 5001 &&
      aws_vpc_security_group_egress_rule.balancer_to_service.to_port == 5001
    )
    error_message = "The load balancer reaches the service's 5001."
  }
  assert {
    condition = (
      aws_vpc_security_group_egress_rule.service_to_database.referenced_security_group_id == aws_security_group.database.id &&
      aws_vpc_security_group_ingress_rule.database_from_service.referenced_security_group_id == aws_security_group.service.id &&
      aws_vpc_security_group_ingress_rule.database_from_service.from_port == 5432 &&
      aws_vpc_security_group_egress_rule.service_to_database.to_port == 5432
    )
    error_message = "The service reaches the database's 5432."
  }
  assert {
    condition = alltrue([
      for rule in [
        aws_vpc_security_group_egress_rule.balancer_to_service,
        aws_vpc_security_group_ingress_rule.service_from_balancer,
        aws_vpc_security_group_egress_rule.service_to_database,
        aws_vpc_security_group_ingress_rule.database_from_service,
      ] : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "Inside, rules name groups."
  }
}

run "the_key_is_rotated_and_open_to_this_environment_alone" {
  command = apply

  assert {
    condition     = aws_kms_key.main.enable_key_rotation && aws_kms_key.main.deletion_window_in_days == 30
    error_message = "The key is rotated, and not gone at once."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.main.policy).Statement :
      can(statement.Condition) if statement.Sid != "AccountByPolicies"
    ])
    error_message = "Whoever is not the account uses the key under a condition."
  }
}

run "pages_and_a_cache_have_their_own_rules" {
  command = apply

  variables {
    frontend_port = 3000
    cache_port    = 6379
    ipv6          = true
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.frontend_from_balancer[0].referenced_security_group_id == aws_security_group.balancer.id &&
      aws_vpc_security_group_ingress_rule.frontend_from_balancer[0].from_port == 3000 &&
      aws_vpc_security_group_egress_rule.balancer_to_frontend[0].to_port == 3000
    )
    error_message = "The load balancer reaches the pages' 3000."
  }
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.cache_from_service[0].referenced_security_group_id == aws_security_group.service.id &&
      aws_vpc_security_group_ingress_rule.cache_from_service[0].from_port == 6379 &&
      aws_vpc_security_group_egress_rule.service_to_cache[0].referenced_security_group_id == aws_security_group.cache[0].id
    )
    error_message = "The service alone reaches the cache's 6379."
  }
  assert {
    condition     = { for key, one in aws_vpc_security_group_ingress_rule.ipv6 : key => [one.from_port, one.cidr_ipv6] } == { http = [80, "::/0"], https = [443, "::/0"] }
    error_message = "Clients with IPv6 reach the load balancer."
  }
}

run "a_log_group_elsewhere_is_encrypted_too" {
  command = apply

  variables {
    log_groups = ["/ecs/items-prod"]
  }

  assert {
    condition = contains(
      one([for one in jsondecode(aws_kms_key.main.policy).Statement : one if one.Sid == "LogsOfThisEnvironment"]).Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"],
      "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/items-prod"
    )
    error_message = "The key is open to the named group."
  }
}
