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
  security_groups    = [var.balancer_group_id]

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
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; traffic to the instance stays inside the network
  # A prefix of at most six characters. The new group is created first, because one that a listener uses cannot be deleted.
  name_prefix          = "items-"
  vpc_id               = var.vpc_id
  target_type          = "instance"
  protocol             = "HTTP"
  port                 = var.port
  deregistration_delay = var.deregistration_delay

  health_check {
    path                = "${var.base_path}/health"
    matcher             = "200"
    interval            = 30
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  tls = var.certificate_arn != null
}

resource "aws_lb_listener" "http" {
  #checkov:skip=CKV_AWS_2:redirects to HTTPS as soon as there is a certificate
  #checkov:skip=CKV_AWS_103:a listener without TLS has no TLS version
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = local.tls ? "redirect" : "forward"
    target_group_arn = local.tls ? null : aws_lb_target_group.service.arn

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
    target_group_arn = aws_lb_target_group.service.arn
  }
}

# Only on the listener that forwards; the redirect needs no rule.
resource "aws_lb_listener_rule" "hidden" {
  listener_arn = local.tls ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
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

resource "aws_route53_record" "main" {
  count = var.zone_id == null ? 0 : 1

  zone_id = var.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_lb.main.dns_name
    zone_id                = aws_lb.main.zone_id
    evaluate_target_health = true
  }
}
