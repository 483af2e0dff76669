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
  name           = "items-prod"
  environment    = "prod"
  vpc_id         = "vpc-1"
  secret_arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
  repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items"
  log_group_arn  = "arn:aws:logs:us-east-1:123456789012:log-group:/items/prod/service"
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

run "an_instance_may_do_what_it_needs" {
  command = apply

  assert {
    condition = toset(flatten([for one in local.statements : one.Action])) == toset([
      "autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat",
      "cloudwatch:PutMetricData", "ec2:DescribeTags",
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
      "kms:Decrypt", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents",
      "secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ])
    error_message = "The instances' role allows something else."
  }
  assert {
    condition = toset([for one in local.statements : one.Sid if contains(flatten([one.Resource]), "*")]) == toset([
      "LogInToTheRegistry", "LookForTheGroupOfSessions", "WriteMetrics", "ReadOwnTags", "SessionManager",
    ])
    error_message = "Only calls that name no resource stand on *."
  }
  assert {
    condition = alltrue([
      for one in local.statements : one.Resource == {
        ReadTheSecret    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
        DecryptTheSecret = "arn:aws:kms:us-east-1:123456789012:key/1"
        PullTheImage     = "arn:aws:ecr:us-east-1:123456789012:repository/items"
        CompleteLifecycleActions = join(":", [
          "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup", "*", "autoScalingGroupName/items-prod",
        ])
      }[one.Sid] if contains(["ReadTheSecret", "DecryptTheSecret", "PullTheImage", "CompleteLifecycleActions"], one.Sid)
    ])
    error_message = "One secret, one key, one repository, one group."
  }
  assert {
    condition = one([for one in local.statements : one.Condition if one.Sid == "DecryptTheSecret"]) == { StringEquals = {
      "kms:ViaService"                  = "secretsmanager.us-east-1.amazonaws.com"
      "kms:EncryptionContext:SecretARN" = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
    } }
    error_message = "The key serves reading the secret, nothing else."
  }
  assert {
    condition     = one([for one in local.statements : one.Condition if one.Sid == "WriteMetrics"]) == { StringEquals = { "cloudwatch:namespace" = "Items/prod" } }
    error_message = "Metrics go to the environment's namespace alone."
  }
}
