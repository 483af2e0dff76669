output "url" {
  description = "URL of the service."
  value       = "${local.tls ? "https" : "http"}://${coalesce(var.domain, aws_lb.main.dns_name)}${var.base_path}"
}

output "dns_name" {
  description = "Target of an alias record."
  value       = aws_lb.main.dns_name
}

output "dns_zone_id" {
  description = "Zone of an alias record's target."
  value       = aws_lb.main.zone_id
}

output "arn_suffix" {
  description = "Name of the load balancer in its metrics."
  value       = aws_lb.main.arn_suffix
}

# A target that starts before a listener forwards to its group is never healthy, and ECS refuses such a group.
output "target_group_arn" {
  description = "The service's target group; known once a listener forwards to it."
  value       = aws_lb_target_group.service.arn
  depends_on  = [aws_lb_listener.http, aws_lb_listener.https, aws_lb_listener_rule.hidden, aws_lb_listener_rule.service]
}

output "target_group_arn_suffix" {
  description = "Name of the service's target group in its metrics."
  value       = aws_lb_target_group.service.arn_suffix
}

output "frontend_target_group_arn" {
  description = "The frontend's target group, if there is one; known once a listener forwards to it."
  value       = one(aws_lb_target_group.frontend[*].arn)
  depends_on  = [aws_lb_listener.http, aws_lb_listener.https]
}

# Read from the resource, so that an example's tests hold what an apply would create.
output "numbers" {
  description = "Kind and port of the targets, their health check, and how long they may finish."
  value = {
    target_type          = aws_lb_target_group.service.target_type
    port                 = aws_lb_target_group.service.port
    path                 = aws_lb_target_group.service.health_check[0].path
    interval             = aws_lb_target_group.service.health_check[0].interval
    timeout              = aws_lb_target_group.service.health_check[0].timeout
    healthy              = aws_lb_target_group.service.health_check[0].healthy_threshold
    unhealthy            = aws_lb_target_group.service.health_check[0].unhealthy_threshold
    deregistration_delay = tonumber(aws_lb_target_group.service.deregistration_delay)
  }
}
