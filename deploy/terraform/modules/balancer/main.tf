resource "aws_lb" "main" {
  #checkov:skip=CKV2_AWS_28:enabled by rate_limit: a web ACL costs money every month, and no environment needs one
  #checkov:skip=CKV2_AWS_76:the service does not run Java; the web ACL only limits the rate
  #checkov:skip=CKV2_AWS_20:port 80 redirects as soon as there is a certificate
  #checkov:skip=CKV_AWS_91:enabled by naming a bucket; the service logs every request
  #checkov:skip=CKV_AWS_150:dev may be deleted; test and prod are protected
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.public_subnet_ids
  security_groups    = [var.security_group_id]
  ip_address_type    = var.ipv6 ? "dualstack" : "ipv4"

  idle_timeout               = var.idle_timeout
  client_keep_alive          = 3600
  desync_mitigation_mode     = "strictest"
  drop_invalid_header_fields = true
  # The service trusts the last element of X-Forwarded-For.
  xff_header_processing_mode = "append"
  enable_deletion_protection = var.deletion_protection

  dynamic "access_logs" {
    for_each = var.access_log_bucket[*]
    content {
      bucket  = access_logs.value
      prefix  = var.name
      enabled = true
    }
  }
}

resource "aws_lb_target_group" "service" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; traffic to the target stays inside the network
  # A prefix of at most six characters. The new group is created first, because one that a listener uses cannot be deleted.
  name_prefix          = "items-"
  vpc_id               = var.vpc_id
  target_type          = var.target_type
  protocol             = "HTTP"
  port                 = var.port
  deregistration_delay = var.deregistration_delay

  health_check {
    path                = "${var.base_path}${var.health.path}"
    matcher             = "200"
    interval            = var.health.interval
    timeout             = var.health.timeout
    healthy_threshold   = var.health.healthy
    unhealthy_threshold = var.health.unhealthy
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The pages beside the service. Requests reach it unless a rule leads them to the service.
resource "aws_lb_target_group" "frontend" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; traffic to the target stays inside the network
  count = var.frontend == null ? 0 : 1

  name_prefix          = "front-"
  vpc_id               = var.vpc_id
  target_type          = var.target_type
  protocol             = "HTTP"
  port                 = var.frontend.port
  deregistration_delay = var.deregistration_delay

  health_check {
    path                = var.frontend.health.path
    matcher             = "200"
    interval            = var.frontend.health.interval
    timeout             = var.frontend.health.timeout
    healthy_threshold   = var.frontend.health.healthy
    unhealthy_threshold = var.frontend.health.unhealthy
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  tls     = var.certificate_arn != null
  default = var.frontend == null ? aws_lb_target_group.service.arn : aws_lb_target_group.frontend[0].arn
  # Of the listener that forwards; the one that redirects needs no rule.
  forwarding = local.tls ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
  # The domain, and www in front of it, by both families of addresses if the load balancer has both.
  records = var.zone_id == null ? {} : {
    for pair in setproduct(var.www ? ["", "www."] : [""], var.ipv6 ? ["A", "AAAA"] : ["A"]) :
    "${pair[0]}${pair[1]}" => { name = "${pair[0]}${var.domain}", type = pair[1] }
  }
}

resource "aws_lb_listener" "http" {
  #checkov:skip=CKV_AWS_2:redirects to HTTPS as soon as there is a certificate
  #checkov:skip=CKV_AWS_103:a listener without TLS has no TLS version
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = local.tls ? "redirect" : "forward"
    target_group_arn = local.tls ? null : local.default

    dynamic "redirect" {
      for_each = local.tls ? [1] : []
      content {
        protocol    = "HTTPS"
        port        = "443"
        status_code = "HTTP_301"
      }
    }
  }
}

resource "aws_lb_listener" "https" {
  count = local.tls ? 1 : 0

  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type             = "forward"
    target_group_arn = local.default
  }
}

resource "aws_lb_listener_rule" "hidden" {
  listener_arn = local.forwarding
  priority     = 1

  condition {
    path_pattern {
      values = [for path in var.hidden_paths : "${var.base_path}${path}"]
    }
  }

  action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = jsonencode({ type = "about:blank", title = "Not Found", status = 404 })
    }
  }
}

resource "aws_lb_listener_rule" "service" {
  count = var.frontend == null ? 0 : 1

  listener_arn = local.forwarding
  priority     = 10

  condition {
    path_pattern {
      values = [for path in var.service_paths : "${var.base_path}${path}"]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service.arn
  }
}

resource "aws_route53_record" "main" {
  for_each = local.records

  zone_id = var.zone_id
  name    = each.value.name
  type    = each.value.type

  alias {
    name                   = aws_lb.main.dns_name
    zone_id                = aws_lb.main.zone_id
    evaluate_target_health = true
  }
}
