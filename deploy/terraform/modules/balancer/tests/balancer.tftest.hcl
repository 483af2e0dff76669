mock_provider "aws" {
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
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/items-prod/1" }
  }
}

# Told apart by their addresses below: mocked groups share an ARN.
override_resource {
  target = aws_lb_target_group.frontend[0]
  values = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/front-prod/1" }
}

variables {
  name              = "items-prod"
  vpc_id            = "vpc-1"
  public_subnet_ids = ["subnet-1", "subnet-2"]
  security_group_id = "sg-1"
  target_type       = "instance"
  certificate_arn   = "arn:aws:acm:us-east-1:123456789012:certificate/1"
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
    condition     = output.url == "https://items.example.com" && aws_route53_record.main["A"].alias[0].name == aws_lb.main.dns_name
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
}

run "targets_by_address_with_another_check" {
  command = apply

  variables {
    target_type = "ip"
    port        = 8000
    health      = { path = "/healthz", unhealthy = 3 }
  }

  assert {
    condition     = aws_lb_target_group.service.target_type == "ip" && aws_lb_target_group.service.port == 8000
    error_message = "Tasks have addresses of their own."
  }
  assert {
    condition = alltrue([for check in aws_lb_target_group.service.health_check : (
      check.path == "/healthz" && check.interval == 30 && check.timeout == 5 && check.healthy_threshold == 2 && check.unhealthy_threshold == 3
    )])
    error_message = "/healthz every 30 s, within 5 s, 2 and 3."
  }
}

run "pages_beside_the_service" {
  command = apply

  variables {
    target_type = "ip"
    port        = 8000
    frontend    = { port = 3000, health = { path = "/" } }
  }

  assert {
    condition     = aws_lb_listener.https[0].default_action[0].target_group_arn == aws_lb_target_group.frontend[0].arn
    error_message = "What no rule names goes to the pages."
  }
  assert {
    condition = (
      one(aws_lb_listener_rule.service[0].action).target_group_arn == aws_lb_target_group.service.arn &&
      toset(flatten([for one in aws_lb_listener_rule.service[0].condition : [for pattern in one.path_pattern : pattern.values]])) == toset(["/api/*", "/health", "/health/*"])
    )
    error_message = "The service has its API and its health."
  }
  assert {
    condition     = aws_lb_listener_rule.hidden.priority < aws_lb_listener_rule.service[0].priority
    error_message = "What is hidden stays hidden."
  }
  assert {
    condition = alltrue([for check in aws_lb_target_group.frontend[0].health_check : check.path == "/" && check.interval == 30]) && (
      aws_lb_target_group.frontend[0].port == 3000
    )
    error_message = "The pages are asked for / on 3000."
  }
}

run "without_pages_everything_goes_to_the_service" {
  command = apply

  assert {
    condition     = length(aws_lb_target_group.frontend) == 0 && length(aws_lb_listener_rule.service) == 0
    error_message = "One target group, and no rule but the one that hides."
  }
  assert {
    condition     = aws_lb_listener.https[0].default_action[0].target_group_arn == aws_lb_target_group.service.arn
    error_message = "The listener forwards to the service."
  }
}

run "www_and_both_families_of_addresses" {
  command = apply

  variables {
    domain  = "example.com"
    zone_id = "Z1"
    www     = true
    ipv6    = true
  }

  assert {
    condition = toset([for one in aws_route53_record.main : "${one.type} ${one.name}"]) == toset([
      "A example.com", "AAAA example.com", "A www.example.com", "AAAA www.example.com",
    ])
    error_message = "Two names with two records each."
  }
  assert {
    condition     = aws_lb.main.ip_address_type == "dualstack"
    error_message = "The load balancer has IPv6 addresses."
  }
}

run "a_target_that_is_killed_while_it_finishes_requests_is_refused" {
  command         = plan
  expect_failures = [var.deregistration_delay]

  variables {
    deregistration_delay = 60
    stop_timeout         = 60
  }
}

run "a_longer_stop_permits_a_longer_delay" {
  command = plan

  variables {
    deregistration_delay = 90
    stop_timeout         = 120
  }

  assert {
    condition     = aws_lb_target_group.service.deregistration_delay == "90"
    error_message = "90 s to finish, 120 s to end."
  }
}

run "what_does_not_fit_the_service_is_refused" {
  command = plan
  expect_failures = [
    var.idle_timeout,
    var.deregistration_delay,
    var.hidden_paths,
    var.zone_id,
    var.health,
    var.target_type,
    var.service_paths,
  ]

  variables {
    idle_timeout         = 75  # the service's own is 75 s
    deregistration_delay = 300 # longer than the unit's stop time
    hidden_paths         = []
    zone_id              = "Z1" # of no domain
    health               = { interval = 5, timeout = 5 }
    target_type          = "lambda"
    service_paths        = ["api"]
  }
}
