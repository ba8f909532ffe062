exports = async function(order) {
  await new Promise((done) => setTimeout(done, 5));
  return { archived: order, bySystem: context.runningAsSystem(), in: context.environment.tag };
};
