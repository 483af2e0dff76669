output "url" {
  description = "URL of the service."
  value       = "${local.tls ? "https" : "http"}://${coalesce(var.domain, aws_lb.main.dns_name)}${var.base_path}"
}

output "balancer_dns_name" {
  description = "Target of an alias record."
  value       = aws_lb.main.dns_name
}

output "balancer_zone_id" {
  description = "Zone of an alias record's target."
  value       = aws_lb.main.zone_id
}

output "balancer_arn_suffix" {
  description = "Name of the load balancer in its metrics."
  value       = aws_lb.main.arn_suffix
}

output "target_group_arn" {
  description = "ARN of the target group."
  value       = aws_lb_target_group.service.arn
}

output "target_group_arn_suffix" {
  description = "Name of the target group in its metrics."
  value       = aws_lb_target_group.service.arn_suffix
}

output "group_name" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.service.name
}

output "launch_template_id" {
  description = "The launch template."
  value       = aws_launch_template.service.id
}

output "launch_template_arn" {
  description = "The launch template, for policies."
  value       = aws_launch_template.service.arn
}

output "launch_template_version" {
  description = "The number of the version in service."
  value       = aws_launch_template.service.latest_version
}

output "image_parameter" {
  description = "SSM parameter that names the image in service."
  value       = aws_ssm_parameter.image.name
}

output "image_parameter_arn" {
  description = "The same, for policies."
  value       = aws_ssm_parameter.image.arn
}
