# Refuses the requests of an address that sends too many, before they reach an instance. A web ACL is charged per month, rule
# and request, so it exists only if a limit is given.
resource "aws_wafv2_web_acl" "main" {
  #checkov:skip=CKV_AWS_192:the service does not run Java; the only rule limits the rate
  #checkov:skip=CKV2_AWS_31:refused requests are counted as a metric; a log of each would cost more than the rule
  count = var.rate_limit == null ? 0 : 1

  name        = var.name
  description = "Limits the requests of one address to ${var.name}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 1

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        aggregate_key_type    = "IP"
        evaluation_window_sec = 300
        limit                 = var.rate_limit
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-rate"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "main" {
  count = var.rate_limit == null ? 0 : 1

  resource_arn = aws_lb.main.arn
  web_acl_arn  = aws_wafv2_web_acl.main[0].arn
}
