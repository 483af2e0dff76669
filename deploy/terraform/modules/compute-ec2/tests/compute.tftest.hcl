mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/items-prod/1"
      dns_name = "items-prod-1.us-east-1.elb.amazonaws.com"
      zone_id  = "Z35SXDOTRQ7X7K"
    }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/items-prod/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/items-prod/1/2" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/items-prod/1" }
  }
  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/items-prod:policyName/cpu" }
  }
}

variables {
  name                 = "items-prod"
  environment          = "prod"
  vpc_id               = "vpc-1"
  public_subnet_ids    = ["subnet-1", "subnet-2"]
  private_subnet_ids   = ["subnet-3", "subnet-4"]
  balancer_group_id    = "sg-1"
  service_group_id     = "sg-2"
  instance_profile_arn = "arn:aws:iam::123456789012:instance-profile/items-prod-instance"
  kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/1"
  certificate_arn      = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  instance_type        = "t3.small"
  size                 = { min = 2, desired = 2, max = 10 }
  service_connections  = 350
  image                = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000"
  boot_script          = "./tests/scripts/boot.sh"
  secret_id            = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
  database             = { host = "items-prod-database.abc.us-east-1.rds.amazonaws.com", port = 5432, name = "items" }
  agent_parameter      = "/items/prod/cloudwatch-agent"
}

run "the_load_balancer_and_its_health_check" {
  command = apply

  assert {
    condition     = aws_lb.main.idle_timeout == 60 && aws_lb.main.client_keep_alive == 3600
    error_message = "Idle connections live 60 s, a client's at most an hour."
  }
  assert {
    condition     = aws_lb.main.desync_mitigation_mode == "strictest" && aws_lb.main.drop_invalid_header_fields
    error_message = "Ambiguous requests are refused."
  }
  assert {
    condition     = !aws_lb.main.internal && aws_lb.main.enable_deletion_protection && aws_lb.main.xff_header_processing_mode == "append"
    error_message = "It faces the internet; deleting is refused; the client's address is appended."
  }
  assert {
    condition = (
      aws_lb_target_group.service.port == 5001 && aws_lb_target_group.service.protocol == "HTTP" &&
      aws_lb_target_group.service.deregistration_delay == "45"
    )
    error_message = "Targets listen on 5001 and have 45 s to finish."
  }
  assert {
    condition = alltrue([for check in aws_lb_target_group.service.health_check : (
      check.path == "/health" && check.interval == 30 && check.timeout == 5 && check.matcher == "200" &&
      check.healthy_threshold == 2 && check.unhealthy_threshold == 2
    )])
    error_message = "/health every 30 s, within 5 s, twice."
  }
}

run "https_with_a_certificate" {
  command = apply

  assert {
    condition = (
      aws_lb_listener.http.default_action[0].type == "redirect" &&
      aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301" &&
      aws_lb_listener.http.default_action[0].redirect[0].port == "443"
    )
    error_message = "HTTP is redirected to HTTPS."
  }
  assert {
    condition     = aws_lb_listener.https[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && aws_lb_listener.https[0].port == 443
    error_message = "TLS 1.2 at least."
  }
  assert {
    condition     = aws_lb_listener_rule.hidden.listener_arn == aws_lb_listener.https[0].arn
    error_message = "The listener that forwards hides the operators' paths."
  }
  assert {
    condition = (
      toset(flatten([for one in aws_lb_listener_rule.hidden.condition : [for pattern in one.path_pattern : pattern.values]])) == toset(["/metrics", "/db"]) &&
      aws_lb_listener_rule.hidden.action[0].fixed_response[0].status_code == "404"
    )
    error_message = "/metrics and /db are 404 from the internet."
  }
  assert {
    condition     = output.url == "https://items-prod-1.us-east-1.elb.amazonaws.com"
    error_message = "The address begins with https."
  }
}

run "a_domain_becomes_an_alias" {
  command = apply

  variables {
    domain  = "items.example.com"
    zone_id = "Z1"
  }

  assert {
    condition     = output.url == "https://items.example.com" && aws_route53_record.main[0].alias[0].name == aws_lb.main.dns_name
    error_message = "The domain points at the load balancer."
  }
}

run "plain_http_without_a_certificate" {
  command = apply

  variables {
    certificate_arn = null
  }

  assert {
    condition     = length(aws_lb_listener.https) == 0 && aws_lb_listener.http.default_action[0].type == "forward"
    error_message = "Port 80 forwards."
  }
  assert {
    condition     = aws_lb_listener_rule.hidden.listener_arn == aws_lb_listener.http.arn
    error_message = "The operators' paths are hidden there too."
  }
}

run "the_launch_template" {
  command = apply

  assert {
    condition = (
      aws_launch_template.service.metadata_options[0].http_tokens == "required" &&
      aws_launch_template.service.metadata_options[0].http_put_response_hop_limit == 1 &&
      aws_launch_template.service.metadata_options[0].instance_metadata_tags != "enabled"
    )
    error_message = "IMDSv2 only, one hop, without tags: the container uses the host's network."
  }
  assert {
    condition = alltrue([for device in aws_launch_template.service.block_device_mappings : (
      device.ebs[0].encrypted == "true" && device.ebs[0].kms_key_id == var.kms_key_arn
    )])
    error_message = "Volumes are encrypted."
  }
  assert {
    condition = (
      aws_launch_template.service.network_interfaces[0].associate_public_ip_address == "false" &&
      aws_launch_template.service.key_name == null && aws_launch_template.service.monitoring[0].enabled
    )
    error_message = "No public address, no SSH key; metrics every minute."
  }
  assert {
    condition     = aws_launch_template.service.image_id == "ami-0123456789abcdef0"
    error_message = "The image is a number, not an alias."
  }
  assert {
    condition = base64decode(aws_launch_template.service.user_data) == join("\n", [
      "#!/usr/bin/env bash",
      "ITEMS_AGENT_PARAMETER='/items/prod/cloudwatch-agent'",
      "ITEMS_DB_HOST='items-prod-database.abc.us-east-1.rds.amazonaws.com'",
      "ITEMS_DB_NAME='items'",
      "ITEMS_DB_PORT='5432'",
      "ITEMS_ENVIRONMENT='prod'",
      "ITEMS_GROUP='items-prod'",
      "ITEMS_IMAGE='123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000'",
      "ITEMS_LAUNCH_HOOK='items-prod-launch'",
      "ITEMS_PORT='5001'",
      "ITEMS_REGION='us-east-1'",
      "ITEMS_SECRET_ID='arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf'",
      "ITEMS_SETTINGS='DB_POOL_MAX=10 DRAIN_DELAY_MS=5000 HEALTH_DB_GRACE_MS=180000'",
      "ITEMS_VERSION='prod-0123abc-20241101120000'",
      "printf '%s\\n' \"$ITEMS_IMAGE\"",
      "",
    ])
    error_message = "The settings stand in place of the boot script's marker."
  }
}

# The state keeps the image in service, so each of these runs has its own state.
run "the_label_is_the_tag_of_an_image_with_a_digest" {
  command   = apply
  state_key = "tag"

  variables {
    image = "registry.example:5000/items:prod-0123abc-20241101120000@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.version == "prod-0123abc-20241101120000"
    error_message = "deploy/refresh derives the same."
  }
}

run "the_label_is_the_digest_of_an_image_without_a_tag" {
  command   = apply
  state_key = "digest"

  variables {
    image = "registry.example:5000/items@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = local.version == "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    error_message = "deploy/refresh derives the same."
  }
}

run "the_group_starts_before_it_ends" {
  command = apply

  assert {
    condition = (
      aws_autoscaling_group.service.min_size == 2 && aws_autoscaling_group.service.max_size == 10 &&
      aws_autoscaling_group.service.desired_capacity == 2
    )
    error_message = "2 to 10 instances."
  }
  assert {
    condition = (
      aws_autoscaling_group.service.instance_maintenance_policy[0].min_healthy_percentage == 100 &&
      aws_autoscaling_group.service.instance_maintenance_policy[0].max_healthy_percentage == 200
    )
    error_message = "A new instance comes before an old one goes."
  }
  assert {
    condition     = length(aws_autoscaling_group.service.instance_refresh) == 0
    error_message = "Terraform starts no refresh: deploy/refresh sets the group's version."
  }
  assert {
    condition     = aws_autoscaling_group.service.min_elb_capacity == 2
    error_message = "The first apply waits until the load balancer finds the minimum number healthy."
  }
  assert {
    condition     = aws_autoscaling_group.service.launch_template[0].version == "7"
    error_message = "The group names a version by its number: no rollback without one."
  }
  assert {
    condition     = aws_autoscaling_group.service.health_check_type == "ELB" && aws_autoscaling_group.service.health_check_grace_period == 60
    error_message = "The load balancer's verdict counts, from 60 s on."
  }
  assert {
    condition = { for one in aws_autoscaling_group.service.initial_lifecycle_hook : one.name => [one.heartbeat_timeout, one.default_result] } == {
      items-prod-launch = [900, "ABANDON"]
    }
    error_message = "The hook exists for the first instance; there is no termination hook."
  }
  assert {
    condition = (
      aws_autoscaling_lifecycle_hook.launch.name == "items-prod-launch" &&
      aws_autoscaling_lifecycle_hook.launch.lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING" &&
      aws_autoscaling_lifecycle_hook.launch.heartbeat_timeout == 900 &&
      aws_autoscaling_lifecycle_hook.launch.default_result == "ABANDON"
    )
    error_message = "The hook follows later changes."
  }
}

run "scaling_at_70_and_30_per_cent" {
  command = apply

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.cpu["out"].threshold == 70 && aws_cloudwatch_metric_alarm.cpu["out"].comparison_operator == "GreaterThanThreshold" &&
      aws_cloudwatch_metric_alarm.cpu["in"].threshold == 30 && aws_cloudwatch_metric_alarm.cpu["in"].comparison_operator == "LessThanThreshold"
    )
    error_message = "Out above 70 %, in below 30 %."
  }
  assert {
    condition = alltrue([for way, alarm in aws_cloudwatch_metric_alarm.cpu : (
      alarm.alarm_actions == toset([aws_autoscaling_policy.cpu[way].arn]) && alarm.period == 60 &&
      alarm.dimensions == tomap({ AutoScalingGroupName = "items-prod" })
    )])
    error_message = "Each alarm runs its policy."
  }
  assert {
    condition = (
      aws_autoscaling_policy.cpu["in"].adjustment_type == "ChangeInCapacity" &&
      one(aws_autoscaling_policy.cpu["in"].step_adjustment).scaling_adjustment == -1
    )
    error_message = "One instance fewer."
  }
  assert {
    condition = (
      aws_autoscaling_policy.cpu["out"].adjustment_type == "PercentChangeInCapacity" &&
      aws_autoscaling_policy.cpu["out"].min_adjustment_magnitude == 1 &&
      { for one in aws_autoscaling_policy.cpu["out"].step_adjustment : one.metric_interval_lower_bound => one.scaling_adjustment } == {
        "0" = 10, "10" = 50, "20" = 100
      }
    )
    error_message = "From 70 % one more, from 80 % half as many again, from 90 % twice as many."
  }
  assert {
    condition     = alltrue([for policy in aws_autoscaling_policy.cpu : policy.estimated_instance_warmup == null])
    error_message = "The group's warm-up time applies."
  }
}

run "pools_that_fill_the_database_in_a_refresh_are_refused" {
  command         = plan
  expect_failures = [aws_autoscaling_group.service]

  variables {
    service_connections = 199
  }
}

run "pools_that_just_fit_are_not" {
  command = plan

  variables {
    service_connections = 200
  }

  assert {
    condition     = aws_autoscaling_group.service.max_size == 10
    error_message = "10 instances with 10 connections, twice over, are 200."
  }
}

run "a_script_without_the_marker_is_refused" {
  command         = plan
  expect_failures = [aws_launch_template.service]

  variables {
    boot_script = "./tests/scripts/unmarked.sh"
  }
}

run "a_quote_in_a_name_is_refused" {
  command         = plan
  expect_failures = [aws_launch_template.service]

  variables {
    agent_parameter = "it's"
  }
}

run "everything_is_below_the_base_path" {
  command = apply

  variables {
    base_path = "/career"
  }

  assert {
    condition     = alltrue([for check in aws_lb_target_group.service.health_check : check.path == "/career/health"])
    error_message = "The health endpoint is below the base path only."
  }
  assert {
    condition     = toset(flatten([for one in aws_lb_listener_rule.hidden.condition : [for pattern in one.path_pattern : pattern.values]])) == toset(["/career/metrics", "/career/db"])
    error_message = "The hidden paths are below it."
  }
  assert {
    condition     = output.url == "https://items-prod-1.us-east-1.elb.amazonaws.com/career"
    error_message = "The address leads to the service."
  }
  assert {
    condition     = strcontains(base64decode(aws_launch_template.service.user_data), "ITEMS_SETTINGS='BASE_PATH=/career DB_POOL_MAX=10")
    error_message = "The service knows its base path."
  }
}

run "there_is_no_web_acl_unless_a_limit_is_given" {
  command = apply

  assert {
    condition     = length(aws_wafv2_web_acl.main) == 0 && length(aws_wafv2_web_acl_association.main) == 0
    error_message = "It would cost money."
  }
}

run "an_address_that_sends_too_much_gets_429" {
  command = apply

  variables {
    rate_limit = 2000
  }

  assert {
    condition = (
      one(aws_wafv2_web_acl.main[0].rule).statement[0].rate_based_statement[0].limit == 2000 &&
      one(aws_wafv2_web_acl.main[0].rule).statement[0].rate_based_statement[0].aggregate_key_type == "IP" &&
      one(aws_wafv2_web_acl.main[0].rule).action[0].block[0].custom_response[0].response_code == 429
    )
    error_message = "2000 requests of one address in five minutes."
  }
  assert {
    condition     = aws_wafv2_web_acl_association.main[0].resource_arn == aws_lb.main.arn
    error_message = "It is associated with the load balancer."
  }
}

run "a_limit_that_would_refuse_everybody_is_refused" {
  command         = plan
  expect_failures = [var.rate_limit]

  variables {
    rate_limit = 10
  }
}

run "a_base_path_that_does_not_begin_with_a_slash_is_refused" {
  command         = plan
  expect_failures = [var.base_path]

  variables {
    base_path = "career/"
  }
}

# If one of these were accepted, the group would replace its instances endlessly.
run "a_secret_in_a_setting_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DB_PASSWORD = "hunter2" }
  }
}

run "a_path_that_the_health_check_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { BASE_PATH = "/career" }
  }
}

run "a_port_that_the_smoke_test_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { ADMIN_PORT = "9000" }
  }
}

run "a_port_that_the_load_balancer_does_not_ask_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { PORT = "8000" }
  }
}

run "a_pool_that_the_plan_does_not_count_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { DB_POOL_MAX = "100" }
  }
}

run "a_value_that_the_boot_script_refuses_is_refused" {
  command         = plan
  expect_failures = [var.settings]

  variables {
    settings = { LOG_LEVEL = "$(id)" }
  }
}

run "a_processor_that_the_image_is_not_for_is_refused" {
  command         = plan
  expect_failures = [var.instance_type]

  variables {
    instance_type = "t4g.small"
  }
}

run "a_first_apply_without_an_image_is_refused" {
  command         = plan
  state_key       = "empty"
  expect_failures = [aws_launch_template.service]

  variables {
    image = null
  }
}

run "a_later_apply_needs_no_image" {
  command = apply

  variables {
    image = null
  }

  assert {
    condition     = local.version == "prod-0123abc-20241101120000"
    error_message = "The image in service stays."
  }
}

run "what_does_not_fit_the_service_is_refused" {
  command = plan
  expect_failures = [
    var.idle_timeout,
    var.deregistration_delay,
    var.size,
    var.pool_max,
    var.cpu,
    var.image,
    var.settings,
    var.hidden_paths,
    var.zone_id,
  ]

  variables {
    idle_timeout         = 75  # the service's own is 75 s
    deregistration_delay = 300 # longer than the unit's stop time
    size                 = { min = 2, desired = 1, max = 10 }
    pool_max             = 1
    cpu                  = { high = 60, low = 30 } # would swing
    image                = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items"
    settings             = { LOG_LEVEL = "info'; reboot; '" }
    hidden_paths         = []
    zone_id              = "Z1" # of no domain
  }
}
